/* SPDX-License-Identifier: Apache-2.0 */
/* The resource limits of a job. The keys are those of [limits] in policy.conf(5) and in a command's
 * file. */
#pragma once

#include "basic/macro.h"

typedef struct JobLimits {
    uint64_t timeout_usec;
    uint64_t memory_max; /* bytes; UINT64_MAX: no limit */
    uint64_t tasks_max;
    uint64_t cpu_weight, io_weight; /* 1 to 10000; 0: systemd's default */
    uint64_t output_max;            /* bytes kept of each output stream */
    bool network;
    char **writable_paths; /* NULL: no restriction */
} JobLimits;

typedef struct JobLimit JobLimit;

/* -EINVAL: unknown key, or invalid value. */
int job_limit_new(const char *name, const char *value, JobLimit **ret);
JobLimit *job_limit_free(JobLimit *l);
DEFINE_CLEANUP(JobLimit *, job_limit_free)

void job_limits_init(JobLimits *l);
/* Replaces the value of this key. The list of paths still belongs to `limit`. */
void job_limit_apply(const JobLimit *limit, JobLimits *l);
/* Takes the stricter value of each key. If both have a list of paths, that of `l` stays, so that a
 * command cannot open what the policy has closed. */
void job_limits_tighten(JobLimits *l, const JobLimits *other);
