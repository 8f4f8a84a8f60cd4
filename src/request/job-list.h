/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs of both runners as one list, for display. */
#pragma once

#include "request/request-flow.h"

typedef struct JobListEntry {
    JobInfo info;
    const char *kind; /* "normal" or "long" */
} JobListEntry;

/* Normal jobs first, each kind in order of arrival; at most JOBS_LISTED_MAX. A negative result of
 * the callback ends the visit and is returned. */
typedef int (*JobListVisitor)(const JobListEntry *entry, void *userdata);
int job_list_visit(const RequestFlow *f, JobListVisitor visit, void *userdata);

/* Cancels a job, as ordered on this machine. 1: a long one. -ENOENT: no such request; -EALREADY: it
 * is not running. */
int job_list_cancel(RequestFlow *f, const char *guid);
/* Cancels all started jobs. */
void job_list_cancel_all(RequestFlow *f);

/* `on_jobs` is called for each change, from within any call. */
void job_list_observe(RequestFlow *f, void (*on_jobs)(void *userdata), void *userdata);
