/* SPDX-License-Identifier: Apache-2.0 */
/* policy.conf(5): the orders that the owner of this machine allows, for all managers alike. Read
 * for each job, so that a change applies to the next one. An invalid policy allows nothing. */
#pragma once

#include "basic/ini-file.h"
#include "site/job-limits.h"

typedef struct Policy Policy;

/* The parts of an order that rules refer to. */
typedef struct PolicyOrder {
    const char *command;
    const char *user;
    bool brings_script; /* the script came with the order */
} PolicyOrder;

/* -EINVAL: *ret_error (the caller frees) says what is invalid in which file. Absent files are no
 * error. */
int policy_load(const char *file, const char *directory, Policy **ret, char **ret_error);
Policy *policy_free(Policy *p);
DEFINE_CLEANUP(Policy *, policy_free)

/* Reports all mistakes, and files that are ignored. A file that this process may not read and root
 * may is none: the executor is uid 0. Other errors than mistakes are returned. */
int policy_check(const char *file, const char *directory, IniProblem problem, IniProblem ignored,
                 void *userdata);

/* True, or *ret_rule (static) names the rule that forbids the order. */
bool policy_allows(const Policy *p, const PolicyOrder *order, const char **ret_rule);
/* Where that rule was set: "FILE:LINE"; valid as long as the policy. */
const char *policy_get_place(const Policy *p, const char *rule) _pure_;
/* The same of a limit that applies to a command; NULL: none was set. */
const char *policy_get_limit_place(const Policy *p, const char *command, const char *name) _pure_;
/* The limits of a command; their strings belong to the policy. */
void policy_get_limits(const Policy *p, const char *command, JobLimits *ret);
/* Whether a job may have the package manager install programs that it needs. */
bool policy_installs_tools(const Policy *p) _pure_;

/* A change of packages, as [policy] names it in allow_package_changes. */
typedef enum PackageChangeKind {
    PACKAGE_CHANGE_INSTALL,
    PACKAGE_CHANGE_REMOVE,
    PACKAGE_CHANGE_UPDATE,
    PACKAGE_CHANGE_HOLD,
    PACKAGE_CHANGE_REPOSITORY,
    _PACKAGE_CHANGE_MAX,
} PackageChangeKind;

/* Each: true, or *ret_rule (static) names the rule that forbids it. The second is about a package
 * that a request names, or that is changed or removed by it; `is_new`: one that it brings along. */
bool policy_allows_package_change(const Policy *p, PackageChangeKind kind, const char **ret_rule);
bool policy_allows_package(const Policy *p, const char *name, bool is_new, const char **ret_rule);
bool policy_allows_repository(const Policy *p, const char *uri, const char **ret_rule);
