/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the executor would start jobs of the commands that files define. What it would refuse is
 * said when the files are read, and not only when the manager orders the command. */
#pragma once

#include "core/agent-paths.h"
#include "core/problems.h"

/* Of all loaded commands: users that do not exist, scripts that are missing, and scripts of the
 * site that others than root could change. Adds a problem for each. */
void command_jobs_check(const AgentPaths *paths, Problems *problems);
