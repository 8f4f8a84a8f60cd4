/* SPDX-License-Identifier: Apache-2.0 */
/* Ended units that stay loaded because processes that their jobs left behind live in them
 * (keep_processes, agent.conf(5)). The executor does not exit while there are any. */
#pragma once

#include "dcm-executord/executord.h"

/* Waits in the background until the unit, whose control group is at or above `cgroup` (a path from
 * systemd), has no processes; then calls `on_empty`, once. On an error nothing is watched, and the
 * sweep of a later executor finds the unit. */
int kept_watch(Executord *m, const char *unit, const char *cgroup,
               void (*on_empty)(Executord *m, const char *unit));

/* Stops watching all units. */
void kept_abandon(Executord *m);
