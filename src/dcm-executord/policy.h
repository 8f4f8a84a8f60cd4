/* SPDX-License-Identifier: Apache-2.0 */
/* policy.conf(5): what the owner of this machine lets anybody order, whoever asks. Read for each
 * job, so that a change holds from the next one on. A policy that cannot be understood allows
 * nothing. */
#pragma once

#include "command/job-limits.h"

typedef struct Policy Policy;

/* What an order wants. */
typedef struct PolicyOrder {
    const char *command;
    const char *user;
    bool brings_script; /* what is run came with the order */
} PolicyOrder;

/* -EINVAL: *ret_error (the caller frees) says what is wrong with which file. Files that are absent
 * are no error. */
int policy_load(const char *file, const char *directory, Policy **ret, char **ret_error);
Policy *policy_free(Policy *p);
DEFINE_CLEANUP(Policy *, policy_free)

/* True, or *ret_rule (static) names the rule that forbids it. */
bool policy_allows(const Policy *p, const PolicyOrder *order, const char **ret_rule);
/* Of that command; the strings are the policy's. */
void policy_get_limits(const Policy *p, const char *command, JobLimits *ret);
