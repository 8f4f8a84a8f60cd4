/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/manager.h"

/* Follows the ends of systemd's own jobs, by which a stop is known to be complete. */
int stop_watch_jobs(Manager *m);

/* Releases what earlier executors and agents left, now and when idle. */
int stop_sweep(Manager *m);

/* Releases an ended unit in the background; not while processes live in it that may. */
void stop_release(Manager *m, const char *unit);

/* Methods Cancel and Release */
int job_cancel(Manager *m, sd_bus_message *message, sd_bus_error *error);
int job_release(Manager *m, sd_bus_message *message, sd_bus_error *error);

/* Forgets what was going on; the bus must not be used after. */
void stop_abandon(Manager *m);
