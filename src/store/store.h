/* SPDX-License-Identifier: Apache-2.0 */
/* The durable state: requests with their replies (store/request-row.h), other rows, and a few facts
 * about the agent. SQLite in WAL mode with synchronous=FULL: when a commit returns 0, the changes
 * are on disk. Errors: -ENOSPC, -EIO, -EROFS, -ENOMEM as from the file system; -EUCLEAN: the
 * database is damaged. */
#pragma once

#include "basic/macro.h"

typedef struct Store Store;

/* Opens or creates the database, mode 0600. -EUCLEAN: damaged; -EBUSY: another process has it;
 * -EPROTONOSUPPORT: made by a newer version. */
int store_open(const char *path, Store **ret);
Store *store_close(Store *s);
DEFINE_CLEANUP(Store *, store_close)

/* Called from within any store function when SQLite reports that the database is damaged. */
void store_set_on_damaged(Store *s, void (*on_damaged)(void *userdata), void *userdata);

/* `on_remains`: a request has ended, and its arguments, perhaps secrets, are no longer in a row but
 * still in SQLite's log. Called once; store_wipe() removes them from all files, and the next one is
 * reported. Not within a transaction: -EBUSY. */
void store_set_on_remains(Store *s, void (*on_remains)(void *userdata), void *userdata);
int store_wipe(Store *s);

/* One transaction at a time. Changes outside a transaction fail with -EINVAL. A failed commit has
 * rolled back. */
int store_begin(Store *s);
int store_commit(Store *s);
void store_rollback(Store *s);
/* Commits, or rolls back if r < 0; returns r, or the error of the commit. */
int store_finish(Store *s, int r);
bool store_in_transaction(const Store *s) _pure_;

#define STORE_META_AGENT_ID "agent_id"
#define STORE_META_INJECTED_ID "injected_id"
#define STORE_META_PAUSE "pause"
#define STORE_META_ENROLLED "enrolled"
#define STORE_META_INITIALIZED "initialized"
#define STORE_META_TERMINATING "terminating"

/* Small facts. *ret is NULL if the fact is not set; the caller frees it. */
int store_get_meta(Store *s, const char *key, char **ret);
int store_set_meta(Store *s, const char *key, const char *value);
/* Sets a fact in its own transaction. */
int store_set_fact(Store *s, const char *key, const char *value);
/* Stores the running time so far, on which retention depends. */
int store_note_running(Store *s);
