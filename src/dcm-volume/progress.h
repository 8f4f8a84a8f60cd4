/* SPDX-License-Identifier: Apache-2.0 */
/* What a run tells while it works: to the manager's console in a job of the agent, else to standard
 * error. */
#pragma once

#include "basic/macro.h"

/* The step number `i` of `n` begins. */
void progress_step(size_t i, size_t n, const char *text);
/* So much of the step is done. */
void progress_part(unsigned long part, unsigned long whole);
/* A line of a tool; a figure like 12/64 in it moves the percentage within the step. */
void progress_line(const char *line, void *userdata);
