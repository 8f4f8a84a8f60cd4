/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a table by row number, upward until a damaged page ends it, then downward from its end: so
 * a damaged place loses only its own rows, not those behind it. */
#include "store/repair.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/log.h"
#include "basic/time-util.h"
#include "store/statement.h"

#define STATES                                                                                     \
    "('REQUESTING', 'ACKED', 'REPLY', 'NACKED', 'REPLY_NACKED', "                                  \
    "'REPLY_ACKED')"
#define REQUEST_COLUMNS                                                                            \
    "guid, agent_id, command, state, payload, payload_sha256, reply, error_message, accepted, "    \
    "changed, updated"
#define N_REQUEST_COLUMNS 11
#define JOB_COLUMNS                                                                                \
    "job_id, guid, command, customer_id, status, payload, reply, started, ended, updated"
#define N_JOB_COLUMNS 10
#define N_USER_COLUMNS 4
#define ALERT_COLUMNS                                                                              \
    "id, guid, hash, state, time, received, level, rule, user, source_ip, subject, message, "      \
    "bytes, updated"
#define N_ALERT_COLUMNS 14
#define N_META_COLUMNS 2
#define N_STAT_COLUMNS 4
#define N_OUTPUT_COLUMNS 3

/* A table to copy. Column 0 of a select is the row number. For tables without row numbers it is 0
 * upward and 1 downward, so that both directions read all rows; rows that exist already are
 * ignored. */
typedef struct Salvage {
    const char *select_up, *select_down, *insert;
    int n_columns;
} Salvage;

static const Salvage requests = {
    .select_up = "SELECT rowid, " REQUEST_COLUMNS " FROM requests NOT INDEXED ORDER BY rowid",
    .select_down =
        "SELECT rowid, " REQUEST_COLUMNS " FROM requests NOT INDEXED ORDER BY rowid DESC",
    /* leaves invalid requests out */
    .insert = "INSERT OR IGNORE INTO requests (" REQUEST_COLUMNS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6,"
              " ?7, ?8, ?9, ?10, ?11 WHERE ?4 IN " STATES,
    .n_columns = N_REQUEST_COLUMNS,
};

static const Salvage jobs = {
    .select_up = "SELECT rowid, " JOB_COLUMNS " FROM jobs NOT INDEXED ORDER BY rowid",
    .select_down = "SELECT rowid, " JOB_COLUMNS " FROM jobs NOT INDEXED ORDER BY rowid DESC",
    .insert = "INSERT OR IGNORE INTO jobs (" JOB_COLUMNS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
              " ?9, ?10 WHERE ?5 IN ('WAITING', 'RUNNING', 'COMPLETE', 'ERROR')",
    .n_columns = N_JOB_COLUMNS,
};

static const Salvage outputs = {
    .select_up = "SELECT rowid, guid, bytes, updated FROM outputs NOT INDEXED ORDER BY rowid",
    .select_down =
        "SELECT rowid, guid, bytes, updated FROM outputs NOT INDEXED ORDER BY rowid DESC",
    .insert = "INSERT OR IGNORE INTO outputs (guid, bytes, updated) SELECT ?1, ?2, ?3"
              " WHERE typeof(?2) = 'integer' AND typeof(?3) = 'integer'",
    .n_columns = N_OUTPUT_COLUMNS,
};

static const Salvage users = {
    .select_up = "SELECT 0, name, agent_id, administrator, created FROM users ORDER BY name",
    .select_down = "SELECT 1, name, agent_id, administrator, created FROM users ORDER BY name DESC",
    .insert = "INSERT OR IGNORE INTO users (name, agent_id, administrator, created)"
              " VALUES (?1, ?2, ?3, ?4)",
    .n_columns = N_USER_COLUMNS,
};

static const Salvage stats = {
    .select_up = "SELECT 0, name, type, hold, interval FROM stats ORDER BY name",
    .select_down = "SELECT 1, name, type, hold, interval FROM stats ORDER BY name DESC",
    .insert = "INSERT OR IGNORE INTO stats (name, type, hold, interval) SELECT ?1, ?2, ?3, ?4"
              " WHERE typeof(?3) = 'integer' AND typeof(?4) = 'integer'",
    .n_columns = N_STAT_COLUMNS,
};

static const Salvage alerts = {
    .select_up = "SELECT rowid, " ALERT_COLUMNS " FROM alerts NOT INDEXED ORDER BY rowid",
    .select_down = "SELECT rowid, " ALERT_COLUMNS " FROM alerts NOT INDEXED ORDER BY rowid DESC",
    .insert = "INSERT OR IGNORE INTO alerts (" ALERT_COLUMNS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7,"
              " ?8, ?9, ?10, ?11, ?12, ?13, ?14 WHERE ?4 IN (0, 1, 2)"
              " AND typeof(?5) = 'integer' AND typeof(?13) = 'integer'",
    .n_columns = N_ALERT_COLUMNS,
};

static const Salvage meta = {
    .select_up = "SELECT 0, key, value FROM meta ORDER BY key",
    .select_down = "SELECT 1, key, value FROM meta ORDER BY key DESC",
    .insert = "INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)",
    .n_columns = N_META_COLUMNS,
};

static void finalize(sqlite3_stmt **p) {
    (void)sqlite3_finalize(*p);
}
#define _cleanup_finalize_ _cleanup_(finalize)

static void close_database(sqlite3 **p) {
    (void)sqlite3_close(*p);
}

int store_check(Store *s) {
    _cleanup_finalize_ sqlite3_stmt *st = NULL;
    int r;

    r = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_step(st);
    if (r != SQLITE_ROW)
        return r == SQLITE_DONE ? -EUCLEAN : store_sqlite_error(s, r);
    return streq(strempty((const char *)sqlite3_column_text(st, 0)), "ok") ? 0 : -EUCLEAN;
}

/* The journal first: SQLite would apply a remaining one to the next database. */
int store_set_aside(const char *path, char **ret_name) {
    static const char *const suffixes[] = {"-shm", "-wal", ""};
    _cleanup_free_ char *name = NULL;

    if (asprintf(&name, "%s.damaged-%" PRIu64, path, now_usec(CLOCK_REALTIME)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
        _cleanup_free_ char *from = NULL, *to = NULL;

        if (asprintf(&from, "%s%s", path, suffixes[i]) < 0 ||
            asprintf(&to, "%s%s", name, suffixes[i]) < 0)
            return -ENOMEM;
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 &&
            (errno != ENOENT || isempty(suffixes[i])))
            return -errno;
    }
    *ret_name = TAKE_PTR(name);
    return 0;
}

/* Reads the journal and does not change it. */
static int open_damaged(const char *path, sqlite3 **ret) {
    int r;

    r = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(*ret, "PRAGMA locking_mode = EXCLUSIVE;", NULL, NULL, NULL);
    return r;
}

/* Copies until `select` ends, fails, or reaches the row `until`. *ret_last is the number of the
 * last row read. Returns only errors of the target. */
static int copy_rows(Store *to, sqlite3 *from, const Salvage *what, bool down, int64_t until,
                     int64_t *ret_last, bool *ret_complete) {
    _cleanup_finalize_ sqlite3_stmt *select = NULL, *insert = NULL;
    int r, k, n = 0;

    r = sqlite3_prepare_v2(to->db, what->insert, -1, &insert, NULL);
    if (r != SQLITE_OK)
        return store_sqlite_error(to, r);
    *ret_complete = false;
    if (sqlite3_prepare_v2(from, down ? what->select_down : what->select_up, -1, &select, NULL) !=
        SQLITE_OK)
        return 0;
    while ((r = sqlite3_step(select)) == SQLITE_ROW) {
        int64_t row = sqlite3_column_int64(select, 0);

        if (down && row <= until)
            break;
        for (int i = 1; i <= what->n_columns; i++)
            (void)sqlite3_bind_value(insert, i, sqlite3_column_value(select, i));
        k = sqlite3_step(insert);
        if (k != SQLITE_DONE && (k & 0xff) != SQLITE_CONSTRAINT)
            return store_sqlite_error(to, k);
        n += k == SQLITE_DONE ? sqlite3_changes(to->db) : 0;
        (void)sqlite3_reset(insert);
        *ret_last = row;
    }
    *ret_complete = r == SQLITE_DONE;
    return n;
}

static int copy_table(Store *to, sqlite3 *from, const Salvage *what) {
    int64_t last = 0, unused;
    bool complete = false;
    int n, m;

    n = copy_rows(to, from, what, false, 0, &last, &complete);
    if (n < 0 || complete)
        return n;
    m = copy_rows(to, from, what, true, last, &unused, &complete);
    return m < 0 ? m : n + m;
}

/* Closing would checkpoint too, but not report that the disk is full. */
static int end_journal(Store *s) {
    return store_wipe(s);
}

int store_salvage(Store *to, const char *damaged) {
    _cleanup_(close_database) sqlite3 *from = NULL;
    int n, r;

    r = open_damaged(damaged, &from);
    if (r != SQLITE_OK) {
        (void)log_debug("SQLite: %s cannot be read: %s", damaged, sqlite3_errstr(r));
        return 0;
    }
    TRY(store_begin(to));
    n = copy_table(to, from, &requests);
    r = n < 0 ? n : copy_table(to, from, &jobs);
    if (r >= 0)
        r = copy_table(to, from, &outputs);
    if (r >= 0)
        r = copy_table(to, from, &users);
    if (r >= 0)
        r = copy_table(to, from, &stats);
    if (r >= 0)
        r = copy_table(to, from, &alerts);
    if (r >= 0)
        r = copy_table(to, from, &meta);
    if (r >= 0)
        r = store_commit(to);
    else
        store_rollback(to);
    if (r >= 0)
        r = end_journal(to);
    return r < 0 ? r : n;
}
