/* SPDX-License-Identifier: Apache-2.0 */
/* What must survive: requests with their replies (store/request-row.h), and a few facts about
 * ourselves. SQLite in WAL mode, synchronous=FULL: a commit that returned 0 is on the disk.
 *
 * Errors: -ENOSPC, -EIO, -EROFS, -ENOMEM as from the file system; -EUCLEAN the database is damaged.
 */
#pragma once

#include "basic/macro.h"

typedef struct Store Store;

/* Opens or creates the database, mode 0600. -EUCLEAN: damaged; -EBUSY: another process has it;
 * -EPROTONOSUPPORT: made by a newer version. */
int store_open(const char *path, Store **ret);
Store *store_close(Store *s);
DEFINE_CLEANUP(Store *, store_close)

/* Called when SQLite says that the database is damaged, from inside of any call. */
void store_set_on_damaged(Store *s, void (*on_damaged)(void *userdata), void *userdata);

/* One transaction at a time. Changes outside of one are refused (-EINVAL). A failed commit has
 * rolled back. */
int store_begin(Store *s);
int store_commit(Store *s);
void store_rollback(Store *s);
/* Commits, or rolls back where r < 0; returns r, or how the commit failed. */
int store_finish(Store *s, int r);
bool store_in_transaction(const Store *s) _pure_;

#define STORE_META_AGENT_ID "agent_id"
#define STORE_META_INJECTED_ID "injected_id"
#define STORE_META_PAUSE "pause"
#define STORE_META_INITIALIZED "initialized"
#define STORE_META_TERMINATING "terminating"

/* Small facts. *ret is NULL if there is none; the caller frees. */
int store_get_meta(Store *s, const char *key, char **ret);
int store_set_meta(Store *s, const char *key, const char *value);
/* In a transaction of its own. */
int store_set_fact(Store *s, const char *key, const char *value);
/* Notes how long this server has been running, by which retention counts. */
int store_note_running(Store *s);
