/* SPDX-License-Identifier: Apache-2.0 */
/* The order to one agent and its end, of which there are one or many in a command. Functions that
 * return an exit status > 0 have said why. */
#pragma once

#include <stdio.h>

#include "dcm-manager/client.h"
#include "dcm-manager/options.h"

/* How a request ended: the answer with its result, or with its job's description. */
typedef struct RunEnd {
    struct json_object *answer;
    int64_t job;
    bool has_job; /* a long runner's, which is followed; also set if waiting fails */
} RunEnd;

static inline void run_end_done(RunEnd *e) {
    (void)json_object_put(e->answer);
    *e = (RunEnd){};
}

/* `guid` may be NULL. Takes ownership of the payload. */
int run_order(Client *client, const char *agent, const char *guid, struct json_object *payload,
              struct json_object **ret);
/* Waits for the end, through restarts of the manager; *client is NULL if it does not come back. */
int run_follow(const Options *o, Client **client, const char *agent, const char *guid, RunEnd *ret);
/* The same as far as it can be told now. 1: it has ended; 0: it has not; <0: an exit status with
 * the sign changed. */
int run_look(const Options *o, Client **client, const char *agent, const char *guid, RunEnd *ret);
/* Of a request that ended. NULL: null, or it was refused. */
struct json_object *run_end_reply(const RunEnd *e);
bool run_end_is_refused(const RunEnd *e);
/* 1 if the reply has none. */
int run_return_code(struct json_object *reply);
void run_print_texts(struct json_object *reply, FILE *errors);
