/* SPDX-License-Identifier: Apache-2.0 */
/* What a run tells while it works: to the manager's console in a job of the agent, else to standard
 * error. */
#pragma once

#include "basic/macro.h"

/* A percentage below the one that was told before is told as that one. */
void progress_tell(unsigned percent, const char *text);
/* A line of a tool, for the job's output. */
void progress_line(const char *line);
/* A line for the console, too. */
void progress_say(const char *line);
