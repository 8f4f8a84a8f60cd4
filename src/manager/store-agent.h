/* SPDX-License-Identifier: Apache-2.0 */
/* Agents in the manager's store. Errors as in manager/store.h. */
#pragma once

#include "manager/store.h"

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
