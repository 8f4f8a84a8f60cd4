/* SPDX-License-Identifier: Apache-2.0 */
/* What a job's unit is made of: the properties that StartTransientUnit() is given. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"
#include "executor/job-dir.h"
#include "executor/policy.h"
#include "executor/registry.h"

#define STATE_DIRECTORY "/var/lib/dcm-jobs"
#define JOB_USER "dcm" /* of jobs that are not root's */

/* What a caller of Start asked for, checked. */
typedef struct JobRequest {
    const char *guid;
    const Command *command;
    char **arguments;        /* ends with NULL */
    const char *interpreter; /* or NULL */
    int script_fd;
    uint64_t script_size;
    bool as_root;
    uint64_t timeout_usec; /* 0: the policy's */
    Policy *policy;        /* owns what the limits point to */
    PolicyLimits limits;
} JobRequest;

/* Appends the a(sv). state_dir is the path below which PID 1 finds the job's directory. */
int unit_append_properties(sd_bus_message *m, const JobRequest *q, const JobDir *dir,
                           const char *state_dir);
