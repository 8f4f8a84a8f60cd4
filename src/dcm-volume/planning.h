/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the machine and the records, and has a plan made of both. */
#pragma once

#include "proto/job-reply.h"
#include "volume/plan.h"

/* Makes a plan of facts and records: 0; 1: refused; a negative errno. */
typedef int (*PlanFunction)(const Facts *f, const Plan *records, size_t n_records, void *userdata,
                            Plan *ret, Refusal *ret_refusal);

typedef enum PlanningFlags {
    PLANNING_DRY_RUN =
        1 << 0,            /* no program that is missing is installed, whatever the policy says */
    PLANNING_NEW = 1 << 1, /* disks may be written: a damaged record is a refusal */
} PlanningFlags;

/* `place`: the mount point that is looked at; NULL: none. Where a damaged record is no refusal it
 * is a note, and no mount point is looked at: it cannot be told whether a volume belongs there. 0:
 * *ret is the plan. 1: the reply says why there is none. A program that is missing is installed if
 * the policy allows it. */
int planning_make(const char *place, PlanFunction function, void *userdata, PlanningFlags flags,
                  Plan *ret, Reply *reply);

/* The plan as the reply's object. */
int planning_reply(const Plan *p, Reply *reply);

/* What the plan has to say for an administrator. */
int planning_add_notes(const Plan *p, Reply *reply);
