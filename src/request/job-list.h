/* SPDX-License-Identifier: Apache-2.0 */
/* Both queues of jobs as one list, for whoever shows them. */
#pragma once

#include "request/request-flow.h"

typedef struct JobListEntry {
    JobInfo info;
    const char *kind; /* normal, long */
} JobListEntry;

/* The normal ones first, each in the order in which they came; at most JOBS_LISTED_MAX. A negative
 * result of the callback is returned. */
typedef int (*JobListVisitor)(const JobListEntry *entry, void *userdata);
int job_list_visit(const RequestFlow *f, JobListVisitor visit, void *userdata);

/* Stops all jobs that have been started. */
void job_list_cancel_all(RequestFlow *f);

/* Told of each change, from inside of any call. */
void job_list_observe(RequestFlow *f, void (*on_jobs)(void *userdata), void *userdata);
