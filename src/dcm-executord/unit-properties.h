/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of a job's unit, for StartTransientUnit(). */
#pragma once

#include <systemd/sd-bus.h>

#include "dcm-executord/job-dir.h"
#include "dcm-executord/request.h"

#define STATE_DIRECTORY "/var/lib/dcm-jobs"

/* Appends them as a(sv). PID 1 finds the job's directory below state_dir. */
int unit_append_properties(sd_bus_message *m, const JobRequest *q, const JobDir *dir,
                           const char *state_dir);
