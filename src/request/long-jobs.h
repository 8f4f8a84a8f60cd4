/* SPDX-License-Identifier: Apache-2.0 */
/* Long runners (docs/protocol, section 6): answered at once with a number, run one after the other
 * beside the other jobs, asked for by that number. Their rows are the store's; what has not ended
 * is taken up again after a restart. */
#pragma once

#include "job/console.h"
#include "job/runner.h"
#include "request/request.h"

typedef struct LongJobs LongJobs;

typedef struct LongJobsCallbacks {
    /* ends the transaction that is open, so that another can begin */
    int (*commit)(void *userdata);
    /* the agent cannot go on as it is */
    void (*on_broken)(int error, void *userdata);
} LongJobsCallbacks;

int long_jobs_new(sd_event *event, const RunnerParts *parts, Console *console,
                  const LongJobsCallbacks *callbacks, void *userdata, LongJobs **ret);
/* Stops following; jobs run on. */
LongJobs *long_jobs_free(LongJobs *l);

/* Of the last handshake; may be NULL. */
int long_jobs_set_customer(LongJobs *l, const char *customer_id);

/* Whether the request is for a long runner. */
bool long_jobs_wants(const Request *q, struct json_object *payload);
/* Inside of the transaction that stores the request: adds the job to it, and gives the reply; for
 * arguments that are wrong the reply says so, and there is no job. */
int long_jobs_accept(LongJobs *l, const Request *q, struct json_object *payload,
                     struct json_object **ret_reply);
/* That transaction was committed, or was not. True: the request is for a long runner. */
bool long_jobs_begin(LongJobs *l, const char *guid);
void long_jobs_abandon(LongJobs *l, const char *guid);

Runner *long_jobs_get_runner(const LongJobs *l) _pure_;

/* Whether the request has a job that has not ended. */
bool long_jobs_has(LongJobs *l, const char *guid);
/* True if there was one that had not ended. */
bool long_jobs_cancel(LongJobs *l, const char *guid);
