/* SPDX-License-Identifier: Apache-2.0 */
/* New volumes: the steps that write to devices, each made only if its device may be written.
 * Returns 0, 1 (refused) or a negative errno; "gone": the record says that a step was done, and
 * what it made is not there. */
#pragma once

#include "volume/planner.h"

int plan_format(Planner *p);

/* That the devices are enough for the level, and large enough. "too-few", "too-small" */
int plan_check_sizes(Planner *p);

/* That no other request has begun to write to one of the devices and not ended. "unfinished" */
int plan_check_unfinished(Planner *p);
