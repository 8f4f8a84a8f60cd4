/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in the manager's store. Errors as in manager/store.h. */
#pragma once

#include "manager/store.h"

typedef struct StoredRequest {
    char *agent;
    char *payload; /* JSON */
    OrderState state;
    char *reply; /* JSON, or NULL */
    char *error; /* of a NACK, or NULL */
    int64_t created, updated;
} StoredRequest;

void stored_request_done(StoredRequest *r);

/* Durable on return. -EEXIST: the GUID is taken. Removes requests that ended long ago. */
int store_add_request(Store *s, const char *guid, const char *agent, const char *payload);
int store_get_request(Store *s, const char *guid, StoredRequest *ret);
/* Durable on return if the state is one that is over or queued. */
int store_set_request(Store *s, const char *guid, OrderState state, const char *reply,
                      const char *error);
int64_t store_count_open_requests(Store *s, const char *agent);
/* GUIDs of requests that are to be sent, oldest first; NULL-terminated. */
int store_list_open_requests(Store *s, const char *agent, char ***ret);
/* An array of objects, newest first; `agent` may be NULL. */
int store_list_requests(Store *s, const char *agent, int n, struct json_object **ret);
