/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of requests. Errors as in dcm-manager/ledger.h. */
#pragma once

#include "basic/sha256.h"
#include "dcm-manager/ledger.h"

typedef struct LedgerRequest {
    char *agent;
    char *payload;                        /* JSON; after the end only the command */
    char payload_sha256[SHA256_HEX_SIZE]; /* of the original payload */
    OrderState state;
    char *reply; /* JSON, or NULL */
    char *error; /* of a NACK, or NULL */
    int64_t created, updated;
} LedgerRequest;

void ledger_request_done(LedgerRequest *r);

/* -EEXIST: the GUID is taken. */
int ledger_add_request(Ledger *s, const char *guid, const char *agent, const char *payload);
/* Looks at the next n requests that are older than the newest `kept`, and removes those that have
 * ended. 1: there may be more. */
int ledger_expire_requests(Ledger *s, int64_t kept, unsigned n);
int ledger_get_request(Ledger *s, const char *guid, LedgerRequest *ret);
/* The GUID that begins with `text`; one that is `text` goes before longer ones. -ENOENT, -ENOTUNIQ.
 */
int ledger_match_request(Ledger *s, const char *text, char **ret_guid);
/* It was given with that payload. */
bool ledger_request_is(const LedgerRequest *r, const char *payload);
/* Sets any state but QUEUED. A final state with its result is durable on return, and the arguments
 * are deleted, because some may be secrets. `reply` and `error` are for final states only. */
int ledger_set_request(Ledger *s, const char *guid, OrderState state, const char *reply,
                       const char *error);
/* Queues the request again; durable on return. */
int ledger_queue_request(Ledger *s, const char *guid, const char *payload);
int64_t ledger_count_open_requests(Ledger *s, const char *agent);
/* Of all agents those to be sent, or, if `acked`, those that wait for a reply; at most
 * REQUESTS_COUNTED_MAX. */
int64_t ledger_count_requests(Ledger *s, bool acked);
/* GUIDs of requests that must be sent, or that the agent has acknowledged and not replied to,
 * oldest first; a NULL-terminated list for strv_free(). */
int ledger_list_open_requests(Ledger *s, const char *agent, char ***ret);
int ledger_list_acked_requests(Ledger *s, const char *agent, char ***ret);
/* An array of objects, newest first; `agent` may be NULL. */
int ledger_list_requests(Ledger *s, const char *agent, LedgerPage *page, struct json_object **ret);
