/* SPDX-License-Identifier: Apache-2.0 */
/* Agents in the manager's store. Errors as in dcm-manager/ledger.h. */
#pragma once

#include "dcm-manager/ledger.h"

typedef struct LedgerAgent {
    char *id;
    char *claimed; /* the id it offered when it registered; may be NULL */
    char *server_id;
    char *name;         /* that an operator gave; its id if none did */
    char *vm_instance;  /* that it says it runs on; may be NULL */
    bool is_used;       /* an operator has named it or given it an order */
    int64_t stale_told; /* 409s not followed up yet by a copy with a new token */
} LedgerAgent;

void ledger_agent_done(LedgerAgent *a);

/* -ENOENT: there is none. */
int ledger_find_agent_by_token(Ledger *s, const char *token_sha256, LedgerAgent *ret);
int ledger_find_agent_by_id(Ledger *s, const char *id, LedgerAgent *ret);
/* By id, else the name that an operator gave, else the beginning of an id. -ENOTUNIQ: several. */
int ledger_match_agent(Ledger *s, const char *text, char **ret_id);
/* -EEXIST: id or token is taken, or the id is a name. Where there are too many that nobody has
 * named or given an order, the one that has been away the longest is removed; -EDQUOT: there is
 * none. */
int ledger_add_agent(Ledger *s, const char *id, const char *server_id, const Offer *o);
/* What the agent said about itself now; an instance that was known stays known. */
int ledger_update_agent(Ledger *s, const char *id, const Offer *o);
int ledger_note_stale(Ledger *s, const char *id, int change);
int ledger_note_disconnected(Ledger *s, const char *id);
/* NULL takes the name away. -EEXIST: it is another agent's name or id. */
int ledger_name_agent(Ledger *s, const char *id, const char *name);
/* An array of objects, see dcm-manager(8). */
int ledger_list_agents(Ledger *s, struct json_object **ret);
