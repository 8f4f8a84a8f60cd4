/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proto/exposition.h"

/* Values from the agent and systemd over D-Bus. Leaves out those that do not answer; the absence of
 * the agent is a value too. */
void agent_expose(Exposition *x);
