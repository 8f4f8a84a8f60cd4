/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for mistakes in the files of this machine's owner. */
#pragma once

#include "core/agent-paths.h"
#include "dcm-config/findings.h"

/* All files: agent.conf, alerts.conf, policy.conf, their drop-ins, commands.d; what they name; and,
 * for root, whether the agent's user may read them. A negative errno: the check itself failed. */
int check_all(const AgentPaths *paths, Findings *findings);
/* One file, which need not be in its place: its name, or that of its directory, tells its kind
 * (alerts*, policy*, commands.d), otherwise it is an agent.conf. */
int check_file(const char *path, Findings *findings);
