/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the machine and the records, and has a plan made of both. */
#pragma once

#include "proto/job-reply.h"
#include "volume/plan.h"

/* Makes a plan of facts and records: 0; 1: refused; a negative errno. */
typedef int (*PlanFunction)(const Facts *f, const Plan *records, size_t n_records, void *userdata,
                            Plan *ret, Refusal *ret_refusal);

/* `mount_point`: of what is to be mounted; NULL: nothing is. A damaged record is a refusal then,
 * and else a note. 0: *ret is the plan. 1: the reply says why there is none. A program that is
 * missing is installed if the policy allows it, unless it is a dry run. */
int planning_make(const char *mount_point, PlanFunction function, void *userdata, bool dry_run,
                  Plan *ret, Reply *reply);

/* The plan as the reply's object. */
int planning_reply(const Plan *p, Reply *reply);

/* What the plan has to say for an administrator. */
int planning_add_notes(const Plan *p, Reply *reply);
