/* SPDX-License-Identifier: Apache-2.0 */
/* What must outlive the manager: agents, requests, console lines, alerts; in one SQLite database.
 * Errors: -ENOSPC full disk, -EIO, -EROFS, -EBUSY, -EUCLEAN (the file is damaged), -ENOMEM. Times
 * are microseconds since the epoch. */
#pragma once

#include "manager/offer.h"
#include "manager/order.h"

typedef struct Store Store;

/* -EPROTONOSUPPORT: written by a newer version. */
int store_open(const char *path, Store **ret);
Store *store_free(Store *s);
DEFINE_CLEANUP(Store *, store_free)

typedef struct StoredAgent {
    char *id;
    char *claimed; /* the id it offered when it registered; may be NULL */
    char *server_id;
    char *server_name;
    char *vm_instance;  /* may be NULL */
    int64_t stale_told; /* 409s not followed up yet by a copy with a new token */
} StoredAgent;

void stored_agent_done(StoredAgent *a);

/* -ENOENT: there is none. */
int store_find_agent_by_token(Store *s, const char *token_sha256, StoredAgent *ret);
int store_find_agent_by_id(Store *s, const char *id, StoredAgent *ret);
/* By id, else server name, else beginning of an id. -ENOTUNIQ: several. */
int store_match_agent(Store *s, const char *text, char **ret_id);
int64_t store_count_agents(Store *s);
/* -EEXIST: id or token is taken. */
int store_add_agent(Store *s, const char *id, const char *server_id, const char *server_name,
                    const Offer *o);
/* What the agent said about itself now; an instance that was known stays known. */
int store_update_agent(Store *s, const char *id, const Offer *o);
int store_note_stale(Store *s, const char *id, int change);
int store_note_disconnected(Store *s, const char *id);
/* -EEXIST: the name belongs to another agent. */
int store_name_agent(Store *s, const char *id, const char *name);
/* An array of objects, see dcm-manager(8). */
int store_list_agents(Store *s, struct json_object **ret);

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

/* Not synchronised: console lines are many. */
int store_add_log(Store *s, const char *agent, const char *level, const char *message,
                  int64_t *ret_time);
/* The newest n lines, oldest first; `agent` may be NULL. */
int store_list_log(Store *s, const char *agent, int n, struct json_object **ret);
/* Durable on return; a repeated one changes nothing. */
int store_add_alert(Store *s, const char *agent, const char *id, const char *json);
