/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of systemd-run(1), for a unit that a job has started. */
#pragma once

#include "unit/program.h"

/* systemd-run, and the options with which it passes the streams on, waits for the end, and ends
 * with the status of the command; 255 after a signal. The unit is of the type oneshot, since for
 * others SIGTERM, SIGINT and SIGHUP are a good end, whoever sends them. So its time limit is
 * TimeoutStartSec=. */
void unit_add_run(Arguments *a);

/* The unit ends with the job in which this process is, if it is in one: left behind by a job that
 * was killed, it would be in the way of the next one. */
void unit_bind_to_job(Arguments *a);

/* An argument of the unit's command, in which systemd would replace variables. */
void unit_add_argument(Arguments *a, const char *text);
