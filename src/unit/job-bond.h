/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of systemd-run(1), for a unit that a job has started. */
#pragma once

#include "unit/program.h"

/* The unit ends with the job in which this process is, if it is in one: left behind by a job that
 * was killed, it would be in the way of the next one. */
void unit_bind_to_job(Arguments *a);

/* An argument of the unit's command, in which systemd would replace variables. */
void unit_add_argument(Arguments *a, const char *text);
