/* SPDX-License-Identifier: Apache-2.0 */
/* Units that stay because processes live in them that their jobs left behind (keep_processes,
 * agent.conf(5)). As long as there are any the executor stays too. */
#pragma once

#include "dcm-executord/executord.h"

/* Waits, in the background, until no process is left in the unit, whose control group is below
 * `cgroup` (a path as systemd tells it); then calls `on_empty`, once. An error: nobody waits, and
 * the sweep of a later executor finds the unit. */
int kept_watch(Executord *m, const char *unit, const char *cgroup,
               void (*on_empty)(Executord *m, const char *unit));

/* Forgets them all. */
void kept_abandon(Executord *m);
