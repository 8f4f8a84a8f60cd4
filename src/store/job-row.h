/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of long runners' jobs (docs/protocol, section 6). Errors as in store/store.h. */
#pragma once

#include "store/store.h"

typedef enum JobStatus {
    JOB_STATUS_WAITING,
    JOB_STATUS_RUNNING,
    JOB_STATUS_COMPLETE,
    JOB_STATUS_ERROR,
    _JOB_STATUS_MAX,
    _JOB_STATUS_INVALID = -EINVAL,
} JobStatus;

typedef struct StoredJob {
    int64_t job_id;
    char *guid; /* of its request */
    char *command;
    char *customer_id; /* may be NULL */
    JobStatus status;
    char *payload;                 /* JSON, until the job's end */
    char *reply;                   /* JSON, from the job's end on */
    uint64_t start_usec, end_usec; /* CLOCK_REALTIME; 0: not yet */
} StoredJob;

void stored_job_done(StoredJob *j);
const char *job_status_to_string(JobStatus status) _const_;

/* Inserts a job with the next number. */
int store_insert_job(Store *s, const StoredJob *j, int64_t *ret_id);
/* From WAITING to RUNNING; does nothing if it is RUNNING already. */
int store_start_job(Store *s, const char *guid);
/* To COMPLETE or ERROR. -ENOENT: it has ended already. */
int store_finish_job(Store *s, const char *guid, JobStatus status, const char *reply);

/* Loads a job without payload, by its number (0: none) or by its request (NULL: none). -ENOENT. */
int store_load_job(Store *s, int64_t job_id, const char *guid, StoredJob *ret);
/* -ENOENT: no such job, or it has ended. */
int store_load_job_payload(Store *s, const char *guid, char **ret);
/* Visits jobs that have not ended, by number, without payload and reply. */
int store_visit_unfinished_jobs(Store *s, int (*visit)(const StoredJob *j, void *userdata),
                                void *userdata);
/* Removes jobs that ended before that much running time. */
int store_remove_jobs(Store *s, uint64_t older_than_usec);
