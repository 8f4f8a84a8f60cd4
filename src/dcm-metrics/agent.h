/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-metrics/exposition.h"

/* What the agent and systemd say over D-Bus; whoever does not answer is left out, and that the
 * agent is not there is a value, too. */
void agent_expose(Exposition *x);
