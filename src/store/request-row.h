/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of requests. Errors as in store/store.h. */
#pragma once

#include "basic/sha256.h"
#include "proto/request-state.h"
#include "store/store.h"

typedef struct StoredRequest {
    char *guid;
    char *agent_id; /* which received the request; may be NULL */
    char *command;
    RequestState state;
    char *payload; /* JSON; NULL once the request is answered */
    char payload_sha256[SHA256_HEX_SIZE];
    char *reply;            /* JSON; NULL before */
    char *error_message;    /* of a NACK */
    uint64_t accepted_usec; /* CLOCK_REALTIME, only for people */
    uint64_t changed_usec;
    uint64_t replied_usec; /* 0: there is no reply, or a version without this column stored it */
    int return_code;       /* of the reply */
} StoredRequest;

void stored_request_done(StoredRequest *r);

/* -EEXIST: the GUID is known. */
int store_insert_request(Store *s, const StoredRequest *r);
/* From ACKED to REPLY; the payload is dropped. -ENOENT: it is not ACKED. */
int store_set_reply(Store *s, const char *guid, const char *reply, int return_code);
/* -ENOENT: it is not in state `from`. */
int store_set_state(Store *s, const char *guid, RequestState from, RequestState to);

/* -ENOENT. `with_bodies`: payload and reply too. */
int store_load_request(Store *s, const char *guid, bool with_bodies, StoredRequest *ret);

/* Call the visitor for each request, without payload and reply, oldest first: those in ACKED and
 * REPLY, or the newest `limit` of all. A negative result of the callback ends the visit and is
 * returned. */
typedef int (*StoreVisitor)(const StoredRequest *r, void *userdata);
int store_visit_open(Store *s, StoreVisitor visit, void *userdata);
int store_visit_newest(Store *s, unsigned limit, StoreVisitor visit, void *userdata);
int store_count_requests(Store *s, unsigned ret_counts[static _REQUEST_STATE_MAX]);

/* After the manager has assigned another agent id: rows of other ids keep their GUIDs and lose
 * their unsent replies. */
int store_drop_foreign_replies(Store *s, const char *agent_id);

/* Visits GUIDs in a final state that have not changed for that much running time: at most `limit`,
 * after the first `skip`. */
int store_visit_expired(Store *s, uint64_t older_than_usec, unsigned limit, unsigned skip,
                        int (*visit)(const char *guid, void *userdata), void *userdata);
/* Removes a request in a final state; does nothing in other states. */
int store_remove_request(Store *s, const char *guid);
