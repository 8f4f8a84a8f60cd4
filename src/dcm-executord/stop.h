/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-executord/executord.h"

/* Subscribes to the ends of systemd's own jobs, which mark the end of a stop. */
int stop_watch_jobs(Executord *m);

/* Releases units that earlier executors and agents left; call it at the start and when idle. */
int stop_sweep(Executord *m);

/* Releases an ended unit in the background, once no process lives in it that may stay. */
void stop_release(Executord *m, const char *unit);

/* Implement the methods Cancel and Release. */
int serve_cancel(Executord *m, sd_bus_message *message, sd_bus_error *error);
int serve_release(Executord *m, sd_bus_message *message, sd_bus_error *error);

/* Frees pending operations; the bus must not be used afterwards. */
void stop_abandon(Executord *m);
