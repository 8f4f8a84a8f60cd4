/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of agents that wait for an operator (docs/protocol, section 2). They come from
 * strangers: their number and their size are bounded, and a power failure may lose them. Errors as
 * in dcm-manager/ledger.h. */
#pragma once

#include "dcm-manager/ledger.h"

typedef struct LedgerWaiting {
    char id[32];      /* by which an operator accepts it, and then the agent's id */
    bool is_rejected; /* by an operator */
} LedgerWaiting;

/* -ENOENT: the token does not wait. */
int ledger_find_waiting(Ledger *s, const char *token_sha256, LedgerWaiting *ret);
/* -EEXIST: the id or the token is taken. At the limit removes first those that were seen the
 * longest ago of the address with the most; *ret_evicted is their number. `source` tells addresses
 * apart, `peer` is for people. */
int ledger_add_waiting(Ledger *s, const char *id, const Offer *o, const char *source,
                       const char *peer, unsigned *ret_evicted);
/* Stores what it says of itself now. */
int ledger_note_waiting(Ledger *s, const Offer *o, const char *source, const char *peer);
/* By an id, the beginning of one, or at least FINGERPRINT_MIN digits of a fingerprint. -ENOENT,
 * -ENOTUNIQ. */
int ledger_match_waiting(Ledger *s, const char *text, char **ret_id);
int ledger_reject_waiting(Ledger *s, const char *id);
/* By its token; no error if it does not wait. */
int ledger_remove_waiting(Ledger *s, const char *token_sha256);
int ledger_remove_waiting_id(Ledger *s, const char *id);
/* As ledger_list_agents(). */
int ledger_list_waiting(Ledger *s, struct json_object *after, unsigned n, struct json_object **ret,
                        struct json_object **ret_next);
