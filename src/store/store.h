/* SPDX-License-Identifier: Apache-2.0 */
/* What must survive: requests with their replies, and a few facts about ourselves. SQLite in WAL
 * mode, synchronous=FULL: a commit that returned 0 is on the disk.
 *
 * Errors: -ENOSPC, -EIO, -EROFS, -ENOMEM as from the file system; -EUCLEAN the database is damaged.
 */
#pragma once

#include "basic/macro.h"
#include "basic/sha256.h"
#include "proto/request-state.h"

typedef struct Store Store;

typedef struct StoredRequest {
    char *guid;
    char *agent_id; /* that it was sent to; may be NULL */
    char *command;
    RequestState state;
    char *payload; /* JSON; NULL when the request is answered */
    char payload_sha256[SHA256_HEX_SIZE];
    char *reply;            /* JSON; NULL until there is one */
    char *error_message;    /* of a NACK */
    uint64_t accepted_usec; /* CLOCK_REALTIME, for people alone */
    uint64_t changed_usec;
} StoredRequest;

void stored_request_done(StoredRequest *r);

/* Opens or creates the database, mode 0600. -EUCLEAN: damaged; -EBUSY: another process has it;
 * -EPROTONOSUPPORT: made by a newer version. */
int store_open(const char *path, Store **ret);
/* Gives a damaged database another name, with its journal, so that nothing is deleted. The caller
 * frees *ret_name. */
int store_set_aside(const char *path, char **ret_name);
Store *store_close(Store *s);
DEFINE_CLEANUP(Store *, store_close)

/* One transaction at a time. Changes outside of one are refused (-EINVAL). A failed commit has
 * rolled back. */
int store_begin(Store *s);
int store_commit(Store *s);
void store_rollback(Store *s);
bool store_in_transaction(const Store *s) _pure_;

/* -EEXIST: the GUID is known. */
int store_insert_request(Store *s, const StoredRequest *r);
/* State REPLY; the payload is dropped. -ENOENT */
int store_set_reply(Store *s, const char *guid, const char *reply);
int store_set_state(Store *s, const char *guid, RequestState state);

/* -ENOENT. `with_bodies`: payload and reply too. */
int store_load_request(Store *s, const char *guid, bool with_bodies, StoredRequest *ret);

/* Calls for each request (no bodies), oldest first, those in `states` (bits 1 << state) alone, the
 * newest `limit` of them. A negative result of the callback ends it and is returned. */
typedef int (*StoreVisitor)(const StoredRequest *r, void *userdata);
int store_visit_requests(Store *s, unsigned states, unsigned limit, StoreVisitor visit,
                         void *userdata);
int store_count_requests(Store *s, unsigned ret_counts[static _REQUEST_STATE_MAX]);

/* Another agent id was assigned: the rows of other ids keep their GUIDs, their unsent replies go.
 */
int store_drop_foreign_replies(Store *s, const char *agent_id);

/* Removes rows in a final state that have not changed for that much running time. */
int store_expire(Store *s, uint64_t older_than_usec);

/* Small facts. *ret is NULL if there is none; the caller frees. */
int store_get_meta(Store *s, const char *key, char **ret);
int store_set_meta(Store *s, const char *key, const char *value);
