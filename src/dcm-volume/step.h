/* SPDX-License-Identifier: Apache-2.0 */
/* What each step does, and whether it has been done. */
#pragma once

#include "dcm-volume/work.h"

/* Does it and verifies by looking at the machine that it is done. -EIO: w->error says why not. */
int step_do(Work *w, const Step *s);

/* Undoes what step_do() may have done, whole or in part, and verifies that. -EIO: w->error says
 * what is left. */
int step_undo(Work *w, const Step *s);

/* Whether its devices are written, so that udev must leave them alone. */
bool step_writes(const Step *s) _pure_;

/* What it does, for people: "making the file system". */
const char *step_describe(StepType t) _const_;
