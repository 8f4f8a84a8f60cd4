/* SPDX-License-Identifier: Apache-2.0 */
/* The requests in memory, which are those in progress; the store has all requests. */
#pragma once

#include <systemd/sd-event.h>

#include "job/task.h"
#include "proto/json.h"
#include "proto/request-state.h"
#include "store/request-row.h"

typedef struct RequestFlow RequestFlow; /* request/request-flow.h */

typedef struct Request {
    Task task;
    RequestFlow *flow; /* for its timer */
    char *agent_id;    /* to which it was sent; may be NULL */
    RequestState state;
    bool is_stored; /* has a row, or will have with the commit */
    bool quiet;     /* part of a flood: no journal lines, no signals */
    char *payload;  /* JSON, until it is stored */
    char payload_sha256[SHA256_HEX_SIZE];
    char *error_message;       /* of a NACK */
    struct json_object *reply; /* until the store has it */
    char *reply_message_id;    /* of the last sending; NULL: not sent by this process */
    sd_event_source *timer;    /* resends the reply, or retries to store it */
    uint64_t resend_usec;
    unsigned n_pending; /* changes waiting for a commit */
} Request;

/* The request must be in no table, and no runner may hold its task. */
Request *request_free(Request *q);
DEFINE_CLEANUP(Request *, request_free)

/* For a request that has just arrived. */
int request_new(const char *guid, const char *command, Request **ret);
int request_new_from_row(const StoredRequest *row, Request **ret);

/* All changes of the state pass through here: the transitions of proto/request-state.h, and their
 * reversal after a failed commit. */
void request_enter(Request *q, RequestState state);

/* A table by GUID. */
typedef struct RequestTable RequestTable;

int request_table_new(RequestTable **ret);
/* Also frees its requests. */
RequestTable *request_table_free(RequestTable *t);
Request *request_table_find(const RequestTable *t, const char *guid);
/* Takes ownership of the request. */
int request_table_add(RequestTable *t, Request *q);
/* Frees the request. */
void request_table_remove(RequestTable *t, Request *q);
unsigned request_table_size(const RequestTable *t);

/* Visits all, oldest first; `visit` may remove its argument. */
void request_table_visit(RequestTable *t, void (*visit)(Request *q, void *userdata),
                         void *userdata);
