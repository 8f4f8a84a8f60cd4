/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/executord.h"

/* Follows the ends of systemd's own jobs, by which a stop is known to be complete. */
int stop_watch_jobs(Executord *m);

/* Releases what earlier executors and agents left, now and when idle. */
int stop_sweep(Executord *m);

/* Releases an ended unit in the background; not while processes live in it that may. */
void stop_release(Executord *m, const char *unit);

/* Methods Cancel and Release */
int serve_cancel(Executord *m, sd_bus_message *message, sd_bus_error *error);
int serve_release(Executord *m, sd_bus_message *message, sd_bus_error *error);

/* Forgets what was going on; the bus must not be used after. */
void stop_abandon(Executord *m);
