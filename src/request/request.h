/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are at work in memory; the store has them all. */
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
    char *agent_id;    /* that it was sent to; may be NULL */
    RequestState state;
    bool is_stored; /* there is a row, or will be with the commit */
    bool quiet;     /* one of a flood: not in the journal, no signal of its own */
    char *payload;  /* JSON, until it is stored */
    char payload_sha256[SHA256_HEX_SIZE];
    char *error_message;       /* of a NACK */
    struct json_object *reply; /* until it is stored */
    char *reply_message_id;    /* under which the reply was sent last; NULL: not by this process */
    sd_event_source *timer;    /* resends the reply, or stores it again after a failure */
    uint64_t resend_usec;
    unsigned n_pending; /* changes that wait for a commit */
} Request;

/* Frees it; it must be in no table, and no runner may have it. */
Request *request_free(Request *q);
DEFINE_CLEANUP(Request *, request_free)

/* One that has just come in. */
int request_new(const char *guid, const char *command, Request **ret);
int request_new_from_row(const StoredRequest *row, Request **ret);

/* All changes of the state go through here; which there are says proto/request-state.h, and a
 * commit that fails takes one back. */
void request_enter(Request *q, RequestState state);

/* By GUID. */
typedef struct RequestTable RequestTable;

int request_table_new(RequestTable **ret);
/* Frees the requests in it too. */
RequestTable *request_table_free(RequestTable *t);
Request *request_table_find(const RequestTable *t, const char *guid);
/* The table owns it from then on. */
int request_table_add(RequestTable *t, Request *q);
/* Frees the request. */
void request_table_remove(RequestTable *t, Request *q);
unsigned request_table_size(const RequestTable *t);

/* All, oldest first; `visit` may remove the one it is given. */
void request_table_visit(RequestTable *t, void (*visit)(Request *q, void *userdata),
                         void *userdata);
