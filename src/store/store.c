/* SPDX-License-Identifier: Apache-2.0 */
/* `updated` counts running time: CLOCK_BOOTTIME summed over boots, so that no step of the wall
 * clock removes a row. meta has the sum so far, which is at least the largest `updated`. */
#include "store/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "store/schema.h"
#include "store/statement.h"

int store_begin(Store *s) {
    int r;

    if (s->in_transaction)
        return -EINVAL;
    r = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (r != SQLITE_OK)
        return store_sqlite_error(s, r);
    s->in_transaction = true;
    return 0;
}

void store_rollback(Store *s) {
    /* SQLite may have rolled back by itself, for instance because the disk is full */
    if (s->in_transaction && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    if (s->in_transaction)
        s->counted = s->outputs_summed = false;
    s->in_transaction = false;
}

int store_commit(Store *s) {
    int r;

    if (!s->in_transaction)
        return -EINVAL;
    r = sqlite3_get_autocommit(s->db) ? SQLITE_FULL
                                      : sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    if (r != SQLITE_OK) {
        r = store_sqlite_error(s, r);
        store_rollback(s);
        return r;
    }
    s->in_transaction = false;
    return 0;
}

int store_finish(Store *s, int r) {
    if (r >= 0)
        return store_commit(s);
    store_rollback(s);
    return r;
}

bool store_in_transaction(const Store *s) {
    return s->in_transaction;
}

int store_note_running(Store *s) {
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, store_running_usec(s));
    return store_set_meta(s, STORE_META_RUNNING, text);
}

int store_get_meta(Store *s, const char *key, char **ret) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    *ret = NULL;
    r = store_query(s, STATEMENT_GET_META, &st, "t", key);
    if (r >= 0)
        r = store_step(s, st);
    return r <= 0 ? r : store_take_text(st, 0, ret);
}

int store_set_meta(Store *s, const char *key, const char *value) {
    return store_change(s, STATEMENT_SET_META, true, "tt", key, value);
}

int store_set_fact(Store *s, const char *key, const char *value) {
    int r = store_begin(s);

    return r < 0 ? r : store_finish(s, store_set_meta(s, key, value));
}

void store_set_on_damaged(Store *s, void (*on_damaged)(void *userdata), void *userdata) {
    s->on_damaged = on_damaged;
    s->userdata = userdata;
}

void store_set_on_remains(Store *s, void (*on_remains)(void *userdata), void *userdata) {
    s->on_remains = on_remains;
    s->remains_userdata = userdata;
}

/* secure_delete has overwritten them in the pages, which go to the database itself here. */
int store_wipe(Store *s) {
    int r;

    if (s->in_transaction)
        return -EBUSY;
    r = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (r != SQLITE_OK)
        return store_sqlite_error(s, r);
    s->has_remains = false;
    s->has_payloads = s->counts[REQUEST_STATE_ACKED] > 0 || !s->counted;
    return 0;
}

Store *store_close(Store *s) {
    if (!s)
        return NULL;
    store_rollback(s);
    for (size_t i = 0; i < _STATEMENT_MAX; i++)
        (void)sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->db);
    free(s);
    return NULL;
}

int store_open(const char *path, Store **ret) {
    _cleanup_(store_closep) Store *s = calloc(1, sizeof(*s));
    _cleanup_close_ int fd = -1;
    uint64_t running = 0, now = now_usec(CLOCK_BOOTTIME);
    int r;

    if (!s)
        return -ENOMEM;
    /* SQLite would create the file with the umask's mode */
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    fd = safe_close(fd);
    r = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (r != SQLITE_OK)
        return s->db ? store_sqlite_error(s, r) : -ENOMEM;
    r = schema_prepare(s->db, &running);
    if (r != SQLITE_OK)
        return r < 0 ? r : store_sqlite_error(s, r);
    s->has_payloads = true;
    s->running_base_usec = running > now ? running - now : 0;
    *ret = TAKE_PTR(s);
    return 0;
}
