/* SPDX-License-Identifier: Apache-2.0 */
#include "store/statement.h"

#include <stdarg.h>

#include "basic/log.h"
#include "basic/time-util.h"

#define COLUMNS                                                                                    \
    "guid, agent_id, command, state, payload_sha256, error_message, accepted, changed, replied,"   \
    " return_code"
#define FINAL_STATES "('REPLY_ACKED', 'REPLY_NACKED', 'NACKED')"
#define OPEN_STATES "('ACKED', 'REPLY')"
#define JOB_COLUMNS "job_id, guid, command, customer_id, status, started, ended"
#define UNFINISHED "('WAITING', 'RUNNING')"
#define ALERT_COLUMNS                                                                              \
    "id, guid, state, received, time, level, rule, user, source_ip, subject, message"

static const char *const sql[_STATEMENT_MAX] = {
    [STATEMENT_INSERT] =
        "INSERT INTO requests (guid, agent_id, command, state, payload, payload_sha256,"
        " error_message, accepted, changed, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, "
        "?9)",
    [STATEMENT_SET_REPLY] = "UPDATE requests SET state = 'REPLY', reply = ?2, payload = NULL,"
                            " changed = ?3, updated = ?4, replied = ?3, return_code = ?5"
                            " WHERE guid = ?1 AND state = 'ACKED'",
    [STATEMENT_SET_STATE] = "UPDATE requests SET state = ?3, changed = ?4, updated = ?5"
                            " WHERE guid = ?1 AND state = ?2",
    [STATEMENT_LOAD] = "SELECT " COLUMNS ", iif(?2, payload, NULL), iif(?2, reply, NULL)"
                       " FROM requests WHERE guid = ?1",
    /* by the index on state: there may be a million rows in other states */
    [STATEMENT_LIST_OPEN] = "SELECT " COLUMNS ", NULL, NULL FROM requests"
                            " WHERE state IN " OPEN_STATES " ORDER BY rowid",
    [STATEMENT_LIST_NEWEST] = "SELECT * FROM (SELECT " COLUMNS ", NULL, NULL, rowid FROM requests"
                              " ORDER BY rowid DESC LIMIT ?1) ORDER BY rowid",
    [STATEMENT_COUNT] = "SELECT state, count(*) FROM requests GROUP BY state",
    [STATEMENT_DROP_FOREIGN] =
        "UPDATE requests SET state = 'REPLY_NACKED', changed = ?2, updated = ?3"
        " WHERE agent_id IS NOT ?1 AND state IN " OPEN_STATES,
    /* the row of a long runner protects its GUID */
    [STATEMENT_LIST_EXPIRED] =
        "SELECT guid FROM requests WHERE updated < ?1 AND state IN " FINAL_STATES
        " AND guid NOT IN (SELECT guid FROM jobs)"
        " LIMIT ?2 OFFSET ?3",
    [STATEMENT_REMOVE] = "DELETE FROM requests WHERE guid = ?1 AND state IN " FINAL_STATES,
    [STATEMENT_INSERT_JOB] =
        "INSERT INTO jobs (guid, command, customer_id, status, payload, started, ended, updated)"
        " VALUES (?1, ?2, ?3, 'WAITING', ?4, 0, 0, ?5)",
    [STATEMENT_START_JOB] = "UPDATE jobs SET status = 'RUNNING', started = ?2, updated = ?3"
                            " WHERE guid = ?1 AND status = 'WAITING'",
    [STATEMENT_FINISH_JOB] = "UPDATE jobs SET status = ?2, reply = ?3, payload = NULL, ended = ?4,"
                             " started = iif(started = 0, ?4, started),"
                             " updated = ?5 WHERE guid = ?1 AND status IN " UNFINISHED,
    [STATEMENT_LOAD_JOB] = "SELECT " JOB_COLUMNS ", reply FROM jobs WHERE job_id = ?1 OR guid = ?2",
    [STATEMENT_LOAD_JOB_PAYLOAD] =
        "SELECT payload FROM jobs WHERE guid = ?1 AND status IN " UNFINISHED,
    [STATEMENT_LIST_JOBS] =
        "SELECT " JOB_COLUMNS ", NULL FROM jobs WHERE status IN " UNFINISHED " ORDER BY job_id",
    [STATEMENT_REMOVE_JOBS] = "DELETE FROM jobs WHERE updated < ?1 AND status NOT IN " UNFINISHED,
    [STATEMENT_ADD_OUTPUT] =
        "INSERT OR IGNORE INTO outputs (guid, bytes, updated) VALUES (?1, ?2, ?3)",
    [STATEMENT_ADD_USER] =
        "INSERT INTO users (name, agent_id, administrator, created) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (name) DO UPDATE SET administrator = excluded.administrator",
    [STATEMENT_REMOVE_USER] = "DELETE FROM users WHERE name = ?1",
    [STATEMENT_HAS_USER] = "SELECT 1 FROM users WHERE name = ?1",
    [STATEMENT_LIST_USERS] =
        "SELECT name, agent_id, administrator, created FROM users ORDER BY name",
    [STATEMENT_REMOVE_OUTPUT] = "DELETE FROM outputs WHERE guid = ?1",
    [STATEMENT_SUM_OUTPUTS] = "SELECT ifnull(sum(bytes), 0) FROM outputs",
    [STATEMENT_LIST_OUTPUTS] = "SELECT guid, bytes, updated FROM outputs"
                               " ORDER BY updated, rowid LIMIT ?1 OFFSET ?2",
    [STATEMENT_SET_STAT] =
        "INSERT OR REPLACE INTO stats (name, type, hold, interval) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_REMOVE_STAT] = "DELETE FROM stats WHERE name = ?1",
    [STATEMENT_LIST_STATS] = "SELECT name, type, hold, interval FROM stats ORDER BY name",
    [STATEMENT_ADD_ALERT] =
        "INSERT OR IGNORE INTO alerts (guid, hash, state, time, received, level, rule, user,"
        " source_ip, subject, message, bytes, updated)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [STATEMENT_GET_ALERT_STATE] = "SELECT state FROM alerts WHERE guid = ?1",
    [STATEMENT_ACKNOWLEDGE_ALERT] =
        "UPDATE alerts SET state = 2, updated = ?2 WHERE guid = ?1 AND state = 1",
    [STATEMENT_LIST_WAITING_ALERTS] = "SELECT " ALERT_COLUMNS " FROM alerts"
                                      " WHERE state = 1 AND id > ?1 ORDER BY id LIMIT ?2",
    [STATEMENT_LIST_ALERTS] = "SELECT * FROM (SELECT " ALERT_COLUMNS " FROM alerts"
                              " ORDER BY id DESC LIMIT ?1) ORDER BY id",
    [STATEMENT_SUM_ALERTS] = "SELECT state, n, bytes FROM alert_totals",
    [STATEMENT_REMOVE_ALERTS] =
        "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE state <> 1 AND updated < ?1"
        " ORDER BY updated LIMIT ?2)",
    [STATEMENT_GET_META] = "SELECT value FROM meta WHERE key = ?1",
    [STATEMENT_SET_META] = "INSERT INTO meta (key, value) VALUES (?1, ?2)"
                           " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
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
    default: /* never -ENOENT, which means that a row is missing */
        return -EIO;
    }
}

int store_sqlite_error(Store *s, int code) {
    int r = map_error(code), cause;

    if (r == -EIO) { /* tells people the remedy */
        cause = sqlite3_system_errno(s->db);
        r = cause == EROFS || cause == EDQUOT ? -cause : -EIO;
    }
    if (r < 0)
        (void)log_debug_errno(r, "SQLite: %s", sqlite3_errmsg(s->db));
    if (r == -EUCLEAN && s->on_damaged)
        s->on_damaged(s->userdata);
    return r;
}

void store_note_remains(Store *s) {
    if (s->has_remains)
        return;
    s->has_remains = true;
    if (s->on_remains)
        s->on_remains(s->remains_userdata);
}

uint64_t store_running_usec(const Store *s) {
    return s->running_base_usec + now_usec(CLOCK_BOOTTIME);
}

static int prepare(Store *s, Statement which, sqlite3_stmt **ret) {
    int r;

    if (!s->statements[which]) {
        r = sqlite3_prepare_v3(s->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[which], NULL);
        if (r != SQLITE_OK)
            return store_sqlite_error(s, r);
    }
    *ret = s->statements[which];
    return 0;
}

void store_statement_reset(sqlite3_stmt **p) {
    if (*p) {
        (void)sqlite3_reset(*p);
        (void)sqlite3_clear_bindings(*p);
    }
}

static void bind_all(sqlite3_stmt *st, const char *types, va_list ap) {
    for (int i = 1; *types; types++, i++)
        switch (*types) {
        case 't':
            (void)sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
            break;
        case 'i':
            (void)sqlite3_bind_int(st, i, va_arg(ap, int));
            break;
        case 'u': /* NOLINT(bugprone-branch-clone): another type of argument */
            (void)sqlite3_bind_int64(st, i, va_arg(ap, unsigned));
            break;
        case 'l':
            (void)sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
            break;
        default:
            assert(!"types of columns");
        }
}

int store_query(Store *s, Statement which, sqlite3_stmt **ret, const char *types, ...) {
    va_list ap;

    TRY(prepare(s, which, ret));
    va_start(ap, types);
    bind_all(*ret, types, ap);
    va_end(ap);
    return 0;
}

int store_step(Store *s, sqlite3_stmt *st) {
    int r = sqlite3_step(st);

    return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : store_sqlite_error(s, r);
}

int store_change(Store *s, Statement which, bool must_change, const char *types, ...) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    va_list ap;
    int r;

    if (!s->in_transaction)
        return -EINVAL;
    /* SQLite has rolled back; without this check the change would be committed alone */
    if (sqlite3_get_autocommit(s->db))
        return -ENOSPC;
    TRY(prepare(s, which, &st));
    va_start(ap, types);
    bind_all(st, types, ap);
    va_end(ap);
    r = store_step(s, st);
    if (r != 0)
        return r < 0 ? r : -EUCLEAN;
    return must_change && sqlite3_changes(s->db) == 0 ? -ENOENT : 0;
}

int store_take_text(sqlite3_stmt *st, int column, char **ret) {
    const char *text = (const char *)sqlite3_column_text(st, column);

    if (!text)
        return sqlite3_column_type(st, column) == SQLITE_NULL ? 0 : -ENOMEM;
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}
