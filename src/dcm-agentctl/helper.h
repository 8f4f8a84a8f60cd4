/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that are programs of their own, so that dcm-agentctl needs neither TLS nor the agent's
 * code. */
#pragma once

#include "basic/macro.h"

/* Executes PKGLIBDIR/NAME; returns an exit status only on failure. */
int helper_exec(const char *name, char *argv[]);
