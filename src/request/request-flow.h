/* SPDX-License-Identifier: Apache-2.0 */
/* The requests in progress: turns events into transitions, and these into rows, messages, jobs and
 * timers. The changes of one wake-up of the loop are one transaction; messages that promise them
 * are sent after the commit. */
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
    /* a request has entered this state */
    void (*on_changed)(const Request *q, RequestState state, void *userdata);
    /* negative errno: the database cannot be written from now on; 0: it can again */
    void (*on_store)(int error, void *userdata);
    /* the agent must be restarted from what is stored */
    void (*on_broken)(int error, void *userdata);
} RequestFlowCallbacks;

/* What it uses, borrowed. */
typedef struct RequestFlowParts {
    Connection *connection;
    Console *console;
    RunnerParts runner;
    const char *agent_id; /* assigned last; may be NULL */
} RequestFlowParts;

/* Takes up the open requests of the store; finds their jobs once there is a bus. */
int request_flow_new(sd_event *event, const RequestFlowParts *parts,
                     const RequestFlowCallbacks *callbacks, void *userdata, RequestFlow **ret);
/* Commits the open transaction. Jobs keep running. */
RequestFlow *request_flow_free(RequestFlow *f);
DEFINE_CLEANUP(RequestFlow *, request_flow_free)

void request_flow_configure(RequestFlow *f, const RequestFlowOptions *options);
int request_flow_set_bus(RequestFlow *f, sd_bus *bus);

/* Looks in memory, then in the store. 0 and NULL: the GUID is unknown. */
int request_flow_find(RequestFlow *f, const char *guid, Request **ret);
/* Takes ownership of a new request; sets *q to NULL. */
int request_flow_add(RequestFlow *f, Request **q);
/* May free the request if nothing is left to do for it. */
void request_flow_fire(Request *q, RequestEvent event);
/* Fires ACCEPT, with the payload of the message. */
void request_flow_accept(Request *q, struct json_object *payload);
/* Cancels the job of a long runner, whose request has its reply; false if there is none. */
bool request_flow_cancel_long(RequestFlow *f, const char *guid);
/* While paused no new job starts.
 * `told` (static) is what STATUS answers say: "", "waiting" or "refusing". */
void request_flow_set_paused(RequestFlow *f, bool paused, const char *told);
/* `request_id` may be NULL: unknown. */
void request_flow_nack(RequestFlow *f, const char *request_id, const char *error_message);

/* Ends the open transaction, so that another can begin. */
int request_flow_commit(RequestFlow *f);

/* The manager has accepted the handshake under that agent id, for that customer (NULL: none). */
void request_flow_opened(RequestFlow *f, const char *agent_id, const char *customer_id);
void request_flow_closed(RequestFlow *f);
/* NULL: none assigned yet */
const char *request_flow_get_agent_id(const RequestFlow *f) _pure_;

/* The runners of normal and of long jobs. */
void request_flow_get_runners(const RequestFlow *f, Runner *ret[static 2]);

/* Requests in memory; and the number of those without a reply. */
const RequestTable *request_flow_get_requests(const RequestFlow *f) _pure_;
unsigned request_flow_count_working(const RequestFlow *f);
