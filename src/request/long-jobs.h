/* SPDX-License-Identifier: Apache-2.0 */
/* Long runners (docs/protocol, section 6): answered at once with a number, executed by a runner of
 * their own beside the other jobs, and queried by their number. Their state is in the store;
 * unfinished ones are resumed after a restart. */
#pragma once

#include "job/console.h"
#include "job/runner.h"
#include "request/request.h"

typedef struct LongJobs LongJobs;

typedef struct LongJobsCallbacks {
    /* ends the open transaction, so that another can begin */
    int (*commit)(void *userdata);
    /* the agent must be restarted */
    void (*on_broken)(int error, void *userdata);
} LongJobsCallbacks;

int long_jobs_new(sd_event *event, const RunnerParts *parts, Console *console,
                  const LongJobsCallbacks *callbacks, void *userdata, LongJobs **ret);
/* Stops following; jobs keep running. */
LongJobs *long_jobs_free(LongJobs *l);

/* The customer of the last handshake; may be NULL. */
int long_jobs_set_customer(LongJobs *l, const char *customer_id);

/* Whether the request is for a long runner. */
bool long_jobs_wants(const Request *q, struct json_object *payload);
/* Adds the job in the transaction that stores the request, and makes the reply. For invalid
 * arguments the reply is an error, and there is no job. */
int long_jobs_accept(LongJobs *l, const Request *q, struct json_object *payload,
                     struct json_object **ret_reply);
/* Call one of them after that transaction was committed, or failed. True: the request is for a long
 * runner. */
bool long_jobs_begin(LongJobs *l, const char *guid);
void long_jobs_abandon(LongJobs *l, const char *guid);

Runner *long_jobs_get_runner(const LongJobs *l) _pure_;

/* Whether the request has an unfinished job. */
bool long_jobs_has(LongJobs *l, const char *guid);
/* True if there was an unfinished job. */
bool long_jobs_cancel(LongJobs *l, const char *guid);
