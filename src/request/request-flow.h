/* SPDX-License-Identifier: Apache-2.0 */
/* The life of requests at work: events become transitions, transitions become what is stored, sent,
 * started and timed. What comes in by one wake-up of the loop is stored in one
 * transaction; what it promises is sent after that. */
#pragma once

#include "job/console.h"
#include "job/runner.h"
#include "net/connection.h"
#include "request/request.h"

typedef struct RequestFlowOptions {
    uint64_t retransmission_usec;
    unsigned workers;
    unsigned long_workers;
    JobSettings jobs;
} RequestFlowOptions;

typedef struct RequestFlowCallbacks {
    /* a request has entered that state */
    void (*on_changed)(const Request *q, RequestState state, void *userdata);
    /* the agent cannot go on as it is, and must be started anew from what is stored */
    void (*on_broken)(int error, void *userdata);
} RequestFlowCallbacks;

/* What it works with; borrowed. */
typedef struct RequestFlowParts {
    Connection *connection;
    Console *console;
    RunnerParts runner;
    const char *agent_id; /* the last one that a manager gave; NULL: none */
} RequestFlowParts;

/* Takes up what the store has open; its jobs are found again when there is a bus. */
int request_flow_new(sd_event *event, const RequestFlowParts *parts,
                     const RequestFlowCallbacks *callbacks, void *userdata, RequestFlow **ret);
/* Commits what is open. Jobs run on. */
RequestFlow *request_flow_free(RequestFlow *f);
DEFINE_CLEANUP(RequestFlow *, request_flow_free)

void request_flow_configure(RequestFlow *f, const RequestFlowOptions *options);
int request_flow_set_bus(RequestFlow *f, sd_bus *bus);

/* In memory or in the store. 0 and NULL: the GUID was never seen. */
int request_flow_find(RequestFlow *f, const char *guid, Request **ret);
/* Takes over a new request; *q is NULL then. */
int request_flow_add(RequestFlow *f, Request **q);
/* May free the request, when nothing is left to do for it. */
void request_flow_fire(Request *q, RequestEvent event);
/* Fires ACCEPT, with the payload of the message. */
void request_flow_accept(Request *q, struct json_object *payload);
/* Cancels the job of a long runner, whose request has its reply: true if there is one. */
bool request_flow_cancel_long(RequestFlow *f, const char *guid);
/* While paused no new job is begun. */
void request_flow_set_paused(RequestFlow *f, bool paused);
/* `request_id` NULL: not known. */
void request_flow_nack(RequestFlow *f, const char *request_id, const char *error_message);

/* Ends the transaction that is open, so that another can begin. */
int request_flow_commit(RequestFlow *f);

/* The handshake was accepted under that agent id, for that customer; NULL: the manager named none.
 */
void request_flow_opened(RequestFlow *f, const char *agent_id, const char *customer_id);
void request_flow_closed(RequestFlow *f);
/* NULL: none was assigned yet */
const char *request_flow_get_agent_id(const RequestFlow *f) _pure_;

/* Of normal jobs, and of long ones. */
void request_flow_get_runners(const RequestFlow *f, Runner *ret[static 2]);

/* Requests in memory; of those, the ones that have no reply yet. */
const RequestTable *request_flow_get_requests(const RequestFlow *f) _pure_;
unsigned request_flow_count_working(const RequestFlow *f);
