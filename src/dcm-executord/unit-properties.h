/* SPDX-License-Identifier: Apache-2.0 */
/* What a job's unit is made of: the properties that StartTransientUnit() is given. */
#pragma once

#include <systemd/sd-bus.h>

#include "dcm-executord/job-dir.h"
#include "dcm-executord/request.h"

#define STATE_DIRECTORY "/var/lib/dcm-jobs"

/* Appends the a(sv). state_dir is the path below which PID 1 finds the job's directory. */
int unit_append_properties(sd_bus_message *m, const JobRequest *q, const JobDir *dir,
                           const char *state_dir);
