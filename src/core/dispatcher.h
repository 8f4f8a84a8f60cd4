/* SPDX-License-Identifier: Apache-2.0 */
/* From messages to events of requests, from events to transitions, from transitions to what is
 * stored and sent. Everything that comes in during one iteration of the loop is stored in one
 * transaction; what it promises is sent after that. */
#pragma once

#include "core/console.h"
#include "core/runner.h"
#include "net/connection.h"

typedef struct Dispatcher Dispatcher;

typedef struct DispatcherOptions {
    uint64_t retransmission_usec;
    int64_t max_at_once; /* -1: no limit */
    unsigned workers;
} DispatcherOptions;

typedef struct DispatcherCallbacks {
    void (*on_hemlock)(void *userdata);
    /* a request is in another state, or has gone from memory */
    void (*on_changed)(const Request *q, void *userdata);
} DispatcherCallbacks;

/* Takes up what the store has open: jobs are found again when there is a bus. */
int dispatcher_new(sd_event *event, Store *store, Connection *connection, Console *console,
                   const char *jobs_root, const DispatcherCallbacks *callbacks, void *userdata,
                   Dispatcher **ret);
/* Commits what is open. Jobs run on. */
Dispatcher *dispatcher_free(Dispatcher *d);
DEFINE_CLEANUP(Dispatcher *, dispatcher_free)

void dispatcher_configure(Dispatcher *d, const DispatcherOptions *options);
int dispatcher_set_bus(Dispatcher *d, sd_bus *bus);

/* One message of the manager; never fails: what is wrong with it is answered by a NACK. */
void dispatcher_message(Dispatcher *d, const char *text, size_t size, bool is_text);
/* The handshake was accepted under that agent id. */
void dispatcher_opened(Dispatcher *d, const char *agent_id);
void dispatcher_closed(Dispatcher *d);

const char *dispatcher_get_agent_id(const Dispatcher *d) _pure_;
const RequestTable *dispatcher_get_requests(const Dispatcher *d) _pure_;
