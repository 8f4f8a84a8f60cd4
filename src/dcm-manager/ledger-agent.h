/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of agents. Errors as in dcm-manager/ledger.h. */
#pragma once

#include "dcm-manager/ledger.h"

typedef struct LedgerAgent {
    char *id;
    char *claimed; /* the id it offered when it registered; may be NULL */
    char *server_id;
    char *name;                        /* given by an operator; otherwise its id */
    char *vm_instance;                 /* as the agent reports it; may be NULL */
    bool is_revoked;                   /* an operator has taken back its acceptance */
    bool is_used;                      /* an operator has named it or ordered something */
    char *group;                       /* may be NULL */
    char *platform, *platform_version; /* as the agent reports them; may be NULL */
    int64_t stale_told; /* number of 409s that no copy with a new token has followed yet */
} LedgerAgent;

void ledger_agent_done(LedgerAgent *a);

/* -ENOENT: no such agent. */
int ledger_find_agent_by_token(Ledger *s, const char *token_sha256, LedgerAgent *ret);
int ledger_find_agent_by_id(Ledger *s, const char *id, LedgerAgent *ret);
/* Finds an agent by id, else by the operator's name, else by the beginning of an id. -ENOTUNIQ:
 * several match. */
int ledger_match_agent(Ledger *s, const char *text, char **ret_id);
/* -EEXIST: id or token is taken, or the id is a name. At the limit of unused agents (neither named
 * nor given an order) removes the one that has been disconnected the longest; -EUSERS: there is
 * none. */
int ledger_add_agent(Ledger *s, const char *id, const char *server_id, const Offer *o);
/* Stores the agent's current data; a known instance stays if the offer has none. */
int ledger_update_agent(Ledger *s, const char *id, const Offer *o);
/* Also removes its console lines and alerts; not its requests. */
int ledger_remove_agent(Ledger *s, const char *id);
/* Accepts what waits as that id (dcm-manager/ledger-waiting.h) for good; `name` may be NULL.
 * -EEXIST: the name is taken; -EUSERS as above. */
int ledger_accept_waiting(Ledger *s, const char *id, const char *name);
/* By which enrolment token it came, and so into which group. */
int ledger_note_enrolment(Ledger *s, const char *id, const char *token_id, const char *group);
/* `for_good`: by an operator; else an unused agent may still make room for others. */
int ledger_revoke_agent(Ledger *s, const char *id, bool for_good);
/* -ENOENT: it is not revoked. */
int ledger_restore_agent(Ledger *s, const char *id);
/* `id` gets the token of `newer`, which waits or is an agent, and goes. */
int ledger_replace_agent(Ledger *s, const char *id, const char *newer, bool is_waiting);
int ledger_note_stale(Ledger *s, const char *id, int change);
int64_t ledger_count_agents(const Ledger *s) _pure_;
int ledger_note_disconnected(Ledger *s, const char *id);
int ledger_note_all_disconnected(Ledger *s);
/* `name` NULL removes the name. -EEXIST: another agent has it as name or id. */
int ledger_name_agent(Ledger *s, const char *id, const char *name);
/* An array of at most n objects, see dcm-manager(8), in the order of registration. *ret_next: NULL,
 * or what selects the next ones as `after` (NULL: the first ones). -EINVAL: it does not. */
int ledger_list_agents(Ledger *s, struct json_object *after, unsigned n, struct json_object **ret,
                       struct json_object **ret_next);
