/* SPDX-License-Identifier: Apache-2.0 */
/* `updated` counts running time: CLOCK_BOOTTIME added up over boots, so that no jump of the wall
 * clock can remove a row. The sum so far is kept in meta, and is at least the largest `updated`. */
#include "store/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "store/schema.h"

typedef enum Statement {
    STATEMENT_INSERT,
    STATEMENT_SET_REPLY,
    STATEMENT_SET_STATE,
    STATEMENT_LOAD,
    STATEMENT_LIST,
    STATEMENT_COUNT,
    STATEMENT_DROP_FOREIGN,
    STATEMENT_EXPIRE,
    STATEMENT_GET_META,
    STATEMENT_SET_META,
    _STATEMENT_MAX,
} Statement;

#define COLUMNS "guid, agent_id, command, state, payload_sha256, error_message, accepted, changed"
#define FINAL_STATES "('REPLY_ACKED', 'REPLY_NACKED', 'NACKED')"

static const char *const sql[_STATEMENT_MAX] = {
    [STATEMENT_INSERT] =
        "INSERT INTO requests (guid, agent_id, command, state, payload, payload_sha256,"
        " error_message, accepted, changed, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, "
        "?9)",
    [STATEMENT_SET_REPLY] = "UPDATE requests SET state = 'REPLY', reply = ?2, payload = NULL,"
                            " changed = ?3, updated = ?4 WHERE guid = ?1",
    [STATEMENT_SET_STATE] =
        "UPDATE requests SET state = ?2, changed = ?3, updated = ?4 WHERE guid = ?1",
    [STATEMENT_LOAD] = "SELECT " COLUMNS ", iif(?2, payload, NULL), iif(?2, reply, NULL)"
                       " FROM requests WHERE guid = ?1",
    [STATEMENT_LIST] = "SELECT * FROM (SELECT " COLUMNS ", NULL, NULL, rowid FROM requests"
                       " WHERE instr(?1, ',' || state || ',') ORDER BY rowid DESC LIMIT ?2)"
                       " ORDER BY rowid",
    [STATEMENT_COUNT] = "SELECT state, count(*) FROM requests GROUP BY state",
    [STATEMENT_DROP_FOREIGN] =
        "UPDATE requests SET state = 'REPLY_NACKED', changed = ?2, updated = ?3"
        " WHERE agent_id IS NOT ?1 AND state IN ('REPLY', 'ACKED')",
    [STATEMENT_EXPIRE] = "DELETE FROM requests WHERE updated < ?1 AND state IN " FINAL_STATES,
    [STATEMENT_GET_META] = "SELECT value FROM meta WHERE key = ?1",
    [STATEMENT_SET_META] = "INSERT INTO meta (key, value) VALUES (?1, ?2)"
                           " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
};

struct Store {
    sqlite3 *db;
    sqlite3_stmt *statements[_STATEMENT_MAX];
    bool in_transaction;
    uint64_t running_base_usec; /* add CLOCK_BOOTTIME */
};

static int map_error(int code) {
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return -EROFS;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_CANTOPEN:
        return -ENOENT;
    default:
        return -EIO;
    }
}

static int sqlite_error(Store *s, int code) {
    int r = map_error(code);

    if (r < 0)
        (void)log_debug_errno(r, "SQLite: %s", sqlite3_errmsg(s->db));
    return r;
}

void stored_request_done(StoredRequest *r) {
    free(r->guid);
    free(r->agent_id);
    free(r->command);
    free(r->payload);
    free(r->reply);
    free(r->error_message);
    *r = (StoredRequest){};
}

static uint64_t running_usec(const Store *s) {
    return s->running_base_usec + now_usec(CLOCK_BOOTTIME);
}

/* Prepared at first use; the caller resets it. */
static int statement(Store *s, Statement which, sqlite3_stmt **ret) {
    int r;

    if (!s->statements[which]) {
        r = sqlite3_prepare_v3(s->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[which], NULL);
        if (r != SQLITE_OK)
            return sqlite_error(s, r);
    }
    *ret = s->statements[which];
    return 0;
}

static void statement_reset(sqlite3_stmt **p) {
    if (*p) {
        (void)sqlite3_reset(*p);
        (void)sqlite3_clear_bindings(*p);
    }
}
#define _cleanup_statement_ _cleanup_(statement_reset)

/* SQLITE_STATIC: every bound text outlives the step. */
static void bind_text(sqlite3_stmt *st, int i, const char *text) {
    (void)sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
}

static void bind_usec(sqlite3_stmt *st, int i, uint64_t usec) {
    (void)sqlite3_bind_int64(st, i, (int64_t)usec);
}

/* Runs a change; -ENOENT if it was to change a row and there was none. */
static int run_change(Store *s, sqlite3_stmt *st, bool must_change) {
    int r;

    if (!s->in_transaction)
        return -EINVAL;
    if (sqlite3_get_autocommit(s->db)) /* SQLite has ended it; this would be stored on its own */
        return -ENOSPC;
    r = sqlite3_step(st);
    if (r != SQLITE_DONE)
        return sqlite_error(s, r);
    return must_change && sqlite3_changes(s->db) == 0 ? -ENOENT : 0;
}

int store_begin(Store *s) {
    int r;

    if (s->in_transaction)
        return -EINVAL;
    r = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (r != SQLITE_OK)
        return sqlite_error(s, r);
    s->in_transaction = true;
    return 0;
}

void store_rollback(Store *s) {
    /* SQLite may have rolled back by itself, after a full disk for instance */
    if (s->in_transaction && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    s->in_transaction = false;
}

int store_commit(Store *s) {
    int r;

    if (!s->in_transaction)
        return -EINVAL;
    r = sqlite3_get_autocommit(s->db) ? SQLITE_FULL
                                      : sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    if (r != SQLITE_OK) {
        r = sqlite_error(s, r);
        store_rollback(s);
        return r;
    }
    s->in_transaction = false;
    return 0;
}

bool store_in_transaction(const Store *s) {
    return s->in_transaction;
}

int store_insert_request(Store *s, const StoredRequest *r) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int k;

    k = statement(s, STATEMENT_INSERT, &st);
    if (k < 0)
        return k;
    bind_text(st, 1, r->guid);
    bind_text(st, 2, r->agent_id);
    bind_text(st, 3, r->command);
    bind_text(st, 4, request_state_to_string(r->state));
    bind_text(st, 5, r->payload);
    bind_text(st, 6, r->payload_sha256);
    bind_text(st, 7, r->error_message);
    bind_usec(st, 8, r->accepted_usec);
    bind_usec(st, 9, running_usec(s));
    return run_change(s, st, true);
}

int store_set_reply(Store *s, const char *guid, const char *reply) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = statement(s, STATEMENT_SET_REPLY, &st);
    if (r < 0)
        return r;
    bind_text(st, 1, guid);
    bind_text(st, 2, reply);
    bind_usec(st, 3, now_usec(CLOCK_REALTIME));
    bind_usec(st, 4, running_usec(s));
    return run_change(s, st, true);
}

int store_set_state(Store *s, const char *guid, RequestState state) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = statement(s, STATEMENT_SET_STATE, &st);
    if (r < 0)
        return r;
    bind_text(st, 1, guid);
    bind_text(st, 2, request_state_to_string(state));
    bind_usec(st, 3, now_usec(CLOCK_REALTIME));
    bind_usec(st, 4, running_usec(s));
    return run_change(s, st, true);
}

static int take_text(sqlite3_stmt *st, int column, char **ret) {
    const char *text = (const char *)sqlite3_column_text(st, column);

    if (!text)
        return sqlite3_column_type(st, column) == SQLITE_NULL ? 0 : -ENOMEM;
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int read_row(sqlite3_stmt *st, StoredRequest *ret) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    const char *state, *hash;
    int r;

    state = (const char *)sqlite3_column_text(st, 3);
    hash = (const char *)sqlite3_column_text(st, 4);
    row.state = request_state_from_string(strempty(state));
    if (row.state < 0)
        return -EUCLEAN;
    (void)snprintf(row.payload_sha256, sizeof(row.payload_sha256), "%s", strempty(hash));
    row.accepted_usec = (uint64_t)sqlite3_column_int64(st, 6);
    row.changed_usec = (uint64_t)sqlite3_column_int64(st, 7);
    r = take_text(st, 0, &row.guid)
            ?: take_text(st, 1, &row.agent_id)
            ?: take_text(st, 2, &row.command)
            ?: take_text(st, 5, &row.error_message)
            ?: take_text(st, 8, &row.payload)
            ?: take_text(st, 9, &row.reply);
    if (r < 0)
        return r;
    if (!row.guid || !row.command)
        return -EUCLEAN;
    *ret = row;
    row = (StoredRequest){};
    return 0;
}

int store_load_request(Store *s, const char *guid, bool with_bodies, StoredRequest *ret) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = statement(s, STATEMENT_LOAD, &st);
    if (r < 0)
        return r;
    bind_text(st, 1, guid);
    (void)sqlite3_bind_int(st, 2, with_bodies);
    r = sqlite3_step(st);
    if (r == SQLITE_DONE)
        return -ENOENT;
    return r == SQLITE_ROW ? read_row(st, ret) : sqlite_error(s, r);
}

/* ",ACKED,REPLY," */
static void list_states(unsigned states, char *ret, size_t size) {
    size_t used = (size_t)snprintf(ret, size, ",");

    for (RequestState i = 0; i < _REQUEST_STATE_MAX; i++)
        if (states & (1u << i))
            used += (size_t)snprintf(ret + used, size - used, "%s,", request_state_to_string(i));
}

int store_visit_requests(Store *s, unsigned states, unsigned limit, StoreVisitor visit,
                         void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    char wanted[256];
    int r;

    r = statement(s, STATEMENT_LIST, &st);
    if (r < 0)
        return r;
    list_states(states, wanted, sizeof(wanted));
    bind_text(st, 1, wanted);
    (void)sqlite3_bind_int64(st, 2, limit);
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        _cleanup_(stored_request_done) StoredRequest row = {};

        r = read_row(st, &row);
        if (r >= 0)
            r = visit(&row, userdata);
        if (r < 0)
            return r;
    }
    return r == SQLITE_DONE ? 0 : sqlite_error(s, r);
}

int store_count_requests(Store *s, unsigned ret_counts[static _REQUEST_STATE_MAX]) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = statement(s, STATEMENT_COUNT, &st);
    if (r < 0)
        return r;
    memset(ret_counts, 0, _REQUEST_STATE_MAX * sizeof(ret_counts[0]));
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        RequestState state = request_state_from_string(strempty(name));

        if (state >= 0)
            ret_counts[state] = (unsigned)sqlite3_column_int(st, 1);
    }
    return r == SQLITE_DONE ? 0 : sqlite_error(s, r);
}

int store_drop_foreign_replies(Store *s, const char *agent_id) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = statement(s, STATEMENT_DROP_FOREIGN, &st);
    if (r < 0)
        return r;
    bind_text(st, 1, agent_id);
    bind_usec(st, 2, now_usec(CLOCK_REALTIME));
    bind_usec(st, 3, running_usec(s));
    return run_change(s, st, false);
}

int store_expire(Store *s, uint64_t older_than_usec) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    uint64_t now = running_usec(s);
    char text[24];
    int r;

    (void)snprintf(text, sizeof(text), "%" PRIu64, now);
    r = store_set_meta(s, STORE_META_RUNNING, text);
    if (r < 0 || now <= older_than_usec)
        return r;
    r = statement(s, STATEMENT_EXPIRE, &st);
    if (r < 0)
        return r;
    bind_usec(st, 1, now - older_than_usec);
    return run_change(s, st, false);
}

int store_get_meta(Store *s, const char *key, char **ret) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    *ret = NULL;
    r = statement(s, STATEMENT_GET_META, &st);
    if (r < 0)
        return r;
    bind_text(st, 1, key);
    r = sqlite3_step(st);
    if (r == SQLITE_DONE)
        return 0;
    return r == SQLITE_ROW ? take_text(st, 0, ret) : sqlite_error(s, r);
}

int store_set_meta(Store *s, const char *key, const char *value) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = statement(s, STATEMENT_SET_META, &st);
    if (r < 0)
        return r;
    bind_text(st, 1, key);
    bind_text(st, 2, value);
    return run_change(s, st, true);
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
    /* SQLite would create it with the umask's mode */
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    fd = safe_close(fd);
    r = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (r != SQLITE_OK)
        return s->db ? sqlite_error(s, r) : -ENOMEM;
    r = schema_prepare(s->db, &running);
    if (r != SQLITE_OK)
        return r < 0 ? r : sqlite_error(s, r);
    s->running_base_usec = running > now ? running - now : 0;
    *ret = TAKE_PTR(s);
    return 0;
}

int store_set_aside(const char *path, char **ret_name) {
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    _cleanup_free_ char *name = NULL;

    if (asprintf(&name, "%s.damaged-%" PRIu64, path, now_usec(CLOCK_REALTIME)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
        _cleanup_free_ char *from = NULL, *to = NULL;

        if (asprintf(&from, "%s%s", path, suffixes[i]) < 0 ||
            asprintf(&to, "%s%s", name, suffixes[i]) < 0)
            return -ENOMEM;
        if (rename(from, to) < 0 && (i == 0 || errno != ENOENT))
            return -errno;
    }
    *ret_name = TAKE_PTR(name);
    return 0;
}
