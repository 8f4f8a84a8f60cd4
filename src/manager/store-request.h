/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in the manager's store. Errors as in manager/store.h. */
#pragma once

#include "basic/sha256.h"
#include "manager/store.h"

typedef struct StoredRequest {
    char *agent;
    char *payload;                        /* JSON; of one that is over the command alone */
    char payload_sha256[SHA256_HEX_SIZE]; /* as it was given */
    OrderState state;
    char *reply; /* JSON, or NULL */
    char *error; /* of a NACK, or NULL */
    int64_t created, updated;
} StoredRequest;

void stored_request_done(StoredRequest *r);

/* Durable on return. -EEXIST: the GUID is taken. Removes requests that ended long ago. */
int store_add_request(Store *s, const char *guid, const char *agent, const char *payload);
int store_get_request(Store *s, const char *guid, StoredRequest *ret);
/* It was given with that payload. */
bool stored_request_is(const StoredRequest *r, const char *payload);
/* Any state but QUEUED. Where it is one that is over, the result is durable on return, and the
 * arguments are forgotten, since some may be secrets. `reply` and `error` are for these alone. */
int store_set_request(Store *s, const char *guid, OrderState state, const char *reply,
                      const char *error);
/* To be sent again; durable on return. */
int store_queue_request(Store *s, const char *guid, const char *payload);
int64_t store_count_open_requests(Store *s, const char *agent);
/* GUIDs of requests that are to be sent, or that the agent has acknowledged and not replied to,
 * oldest first; a NULL-terminated list for strv_free(). */
int store_list_open_requests(Store *s, const char *agent, char ***ret);
int store_list_acked_requests(Store *s, const char *agent, char ***ret);
/* An array of objects, newest first; `agent` may be NULL. */
int store_list_requests(Store *s, const char *agent, int n, struct json_object **ret);
