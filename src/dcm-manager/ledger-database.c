/* SPDX-License-Identifier: Apache-2.0 */
/* Two connections to one database in WAL mode, used by one thread, so that neither waits for the
 * other: they differ only in the durability of a commit. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "dcm-manager/ledger-database.h"
#include "dcm-manager/ledger-schema.h"
#include "dcm-manager/limits.h"

#define AGENT_COLUMNS                                                                              \
    "SELECT id, claimed, server_id, coalesce(name, id), vm_instance, stale_told, used "
#define OVER "('REPLIED', 'NACKED')"
#define OPEN "('QUEUED', 'SENT')"

static const struct {
    bool relaxed;
    const char *sql;
} statements[_STATEMENT_MAX] = {
    [STATEMENT_AGENT_BY_TOKEN] = {false, AGENT_COLUMNS "FROM agents WHERE token = ?"},
    [STATEMENT_AGENT_BY_ID] = {false, AGENT_COLUMNS "FROM agents WHERE id = ?"},
    /* texts that begin with ?1 sort between ?1 and ?1 followed by the last character */
    [STATEMENT_AGENT_MATCH] =
        {false, "SELECT id, 0 AS how FROM agents WHERE id = ?1 UNION ALL"
                " SELECT id, 1 FROM agents WHERE name = ?1 UNION ALL"
                " SELECT id, 2 FROM (SELECT id FROM agents WHERE id > ?1"
                " AND id < ?1 || char(0x10ffff) ORDER BY id LIMIT 2) ORDER BY how LIMIT 2"},
    [STATEMENT_AGENT_COUNT] = {false, "SELECT count(*) FROM agents"},
    [STATEMENT_AGENT_ADD] =
        {false, "INSERT INTO agents (id, server_id, token, claimed, vm_instance, created, absent)"
                " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?6"
                " WHERE NOT EXISTS (SELECT 1 FROM agents WHERE name = ?1)"},
    [STATEMENT_AGENT_UPDATE] =
        {false, "UPDATE agents SET vm_instance = coalesce(?2, vm_instance), injected_id = ?3,"
                " version = ?4, platform = ?5, platform_version = ?6, ipv4 = ?7, ipv6 = ?8,"
                " features = ?9, connected = ?10, absent = NULL WHERE id = ?1"},
    [STATEMENT_AGENT_STALE] =
        {false, "UPDATE agents SET stale_told = max(0, stale_told + ?2) WHERE id = ?1"},
    [STATEMENT_AGENT_GONE] = {true,
                              "UPDATE agents SET disconnected = ?2, absent = ?2 WHERE id = ?1"},
    [STATEMENT_AGENT_ALL_GONE] =
        {true, "UPDATE agents SET absent = coalesce(connected, created) WHERE absent IS NULL"},
    [STATEMENT_AGENT_ALL_DISCONNECTED] =
        {true, "UPDATE agents SET disconnected = ?1, absent = ?1 WHERE absent IS NULL"},
    [STATEMENT_AGENT_NAME] = {false,
                              "UPDATE agents SET name = ?2, used = 1 WHERE id = ?1 AND NOT EXISTS"
                              " (SELECT 1 FROM agents WHERE (name = ?2 OR id = ?2) AND id != ?1)"},
    [STATEMENT_AGENT_UNNAME] = {false, "UPDATE agents SET name = NULL WHERE id = ?"},
    [STATEMENT_AGENT_LIST] =
        {false, "SELECT id, coalesce(name, id), version, platform, platform_version, ipv4, ipv6,"
                " created, connected, disconnected, claimed, vm_instance, injected_id FROM agents"
                " ORDER BY created, id"},
    [STATEMENT_AGENT_COUNT_UNUSED] =
        {false, "SELECT count(*) FROM agents WHERE used = 0 AND absent IS NOT NULL"},
    [STATEMENT_AGENT_UNUSED] = {false, "SELECT id FROM agents WHERE used = 0 AND absent IS NOT NULL"
                                       " ORDER BY absent LIMIT 1"},
    [STATEMENT_AGENT_REMOVE] = {false, "DELETE FROM agents WHERE id = ?"},
    [STATEMENT_REQUEST_ADD] =
        {false,
         "INSERT INTO requests (guid, agent, payload, payload_sha256, state, created, updated)"
         " VALUES (?1, ?2, ?3, ?4, 'QUEUED', ?5, ?5)"},
    [STATEMENT_REQUEST_GET] =
        {false, "SELECT agent, payload, state, reply, error, created, updated, payload_sha256"
                " FROM requests"
                " WHERE guid = ?"},
    [STATEMENT_REQUEST_MATCH] = {false, "SELECT guid, guid = ?1 FROM requests WHERE guid >= ?1"
                                        " AND guid < ?1 || char(0x10ffff) ORDER BY guid LIMIT 2"},
    [STATEMENT_REQUEST_NOTE] = {true, "UPDATE requests SET state = ?2, error = NULL,"
                                      " updated = ?3 WHERE guid = ?1"},
    /* deletes the arguments, because some may be secrets */
    [STATEMENT_REQUEST_END] =
        {false, "UPDATE requests SET state = ?2, reply = ?3, error = ?4, updated = ?5,"
                " payload = json_object('command', json_extract(payload, '$.command'))"
                " WHERE guid = ?1"},
    [STATEMENT_REQUEST_QUEUE] =
        {false, "UPDATE requests SET state = 'QUEUED', payload = ?2, reply = NULL, error = NULL,"
                " updated = ?3 WHERE guid = ?1"},
    [STATEMENT_REQUEST_COUNT] =
        {false, "SELECT count(*) FROM requests WHERE agent = ? AND state IN " OPEN},
    [STATEMENT_REQUEST_OPEN] = {false,
                                "SELECT guid FROM requests WHERE agent = ? AND state IN " OPEN
                                " ORDER BY rowid"},
    [STATEMENT_REQUEST_ACKED] =
        {false, "SELECT guid FROM requests WHERE agent = ? AND state = 'ACKED' ORDER BY rowid"},
    [STATEMENT_REQUEST_EXPIRE] = {true, "DELETE FROM requests WHERE state IN " OVER
                                        " AND rowid <= (SELECT max(rowid) FROM requests) - ?"},
    [STATEMENT_REQUEST_LIST] =
        {false, "SELECT guid, agent, json_extract(payload, '$.command'), state, created, updated,"
                " iif(json_valid(reply), json_extract(reply, '$.return_code'), NULL)"
                " FROM (SELECT rowid AS row, * FROM requests WHERE ?1 IS NULL OR agent = ?1"
                " ORDER BY rowid DESC LIMIT ?2) ORDER BY row"},
    [STATEMENT_LOG_ADD] = {true,
                           "INSERT INTO logs (agent, time, level, message) VALUES (?, ?, ?, ?)"},
    [STATEMENT_LOG_TRIM] =
        {true, "DELETE FROM logs WHERE agent = ?1 AND id <= (SELECT max(id) FROM (SELECT id,"
               " row_number() OVER newest AS n, sum(bytes) OVER newest AS size FROM logs"
               " WHERE agent = ?1 WINDOW newest AS (ORDER BY id DESC)) WHERE n > ?2 OR size > ?3)"},
    [STATEMENT_LOG_LIST] = {true, "SELECT agent, time, level, message FROM logs"
                                  " WHERE ?1 IS NULL OR agent = ?1 ORDER BY id DESC LIMIT ?2"},
    [STATEMENT_ALERT_LIST] = {false, "SELECT agent, time, alert FROM alerts"
                                     " WHERE ?1 IS NULL OR agent = ?1 ORDER BY id DESC LIMIT ?2"},
    [STATEMENT_ALERT_ADD] =
        {false, "INSERT OR IGNORE INTO alerts (agent, guid, time, alert) VALUES (?, ?, ?, ?)"},
    [STATEMENT_ALERT_TRIM] =
        {true, "DELETE FROM alerts WHERE agent = ?1 AND id <= (SELECT max(id) FROM (SELECT id,"
               " row_number() OVER newest AS n, sum(bytes) OVER newest AS size FROM alerts"
               " WHERE agent = ?1 WINDOW newest AS (ORDER BY id DESC)) WHERE n > ?2 OR size > ?3)"},
    [STATEMENT_KEPT_ALL] = {true, "SELECT bytes FROM kept WHERE agent = ''"},
    [STATEMENT_KEPT_MOST] = {true, "SELECT agent, bytes FROM kept WHERE agent != ''"
                                   " ORDER BY bytes DESC LIMIT 1"},
    [STATEMENT_KEPT_REMOVE] = {true, "DELETE FROM kept WHERE agent = ?"},
};

static int ledger_error(int sqlite_error) {
    switch (sqlite_error & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_TOOBIG:
        return -EMSGSIZE;
    default:
        return -EIO;
    }
}

int64_t ledger_now(void) {
    return (int64_t)now_usec(CLOCK_REALTIME);
}

static int bind_all(sqlite3_stmt *q, const char *types, va_list ap) {
    int r = SQLITE_OK;

    for (int i = 1; *types && r == SQLITE_OK; types++, i++)
        if (*types == 't')
            r = sqlite3_bind_text(q, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        else
            r = sqlite3_bind_int64(q, i, va_arg(ap, int64_t));
    return ledger_error(r);
}

static int get_statement(Ledger *s, Statement id, sqlite3_stmt **ret) {
    if (!s->statements[id]) {
        int r =
            sqlite3_prepare_v3(statements[id].relaxed ? s->relaxed : s->durable, statements[id].sql,
                               -1, SQLITE_PREPARE_PERSISTENT, &s->statements[id], NULL);

        if (r != SQLITE_OK)
            return ledger_error(r);
    }
    *ret = s->statements[id];
    return 0;
}

int ledger_query(Ledger *s, Statement id, sqlite3_stmt **ret, const char *types, ...) {
    va_list ap;
    int r;

    TRY(get_statement(s, id, ret));
    va_start(ap, types);
    r = bind_all(*ret, types, ap);
    va_end(ap);
    return r;
}

int ledger_step(sqlite3_stmt *q) {
    int r = sqlite3_step(q);

    return r == SQLITE_ROW ? 1 : ledger_error(r);
}

int ledger_execute(Ledger *s, Statement id, const char *types, ...) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    va_list ap;
    int r;

    TRY(get_statement(s, id, &q));
    va_start(ap, types);
    r = bind_all(q, types, ap);
    va_end(ap);
    if (r >= 0)
        r = ledger_step(q);
    return r < 0 ? r : sqlite3_changes(sqlite3_db_handle(q));
}

int ledger_column_dup(sqlite3_stmt *q, int column, char **ret) {
    return free_and_strdup(ret, (const char *)sqlite3_column_text(q, column));
}

int ledger_add_text(struct json_object *o, const char *key, sqlite3_stmt *q, int column) {
    return json_add_string(o, key, (const char *)sqlite3_column_text(q, column));
}

int ledger_add_int(struct json_object *o, const char *key, sqlite3_stmt *q, int column) {
    if (sqlite3_column_type(q, column) == SQLITE_NULL)
        return json_add_null(o, key);
    return json_add_int(o, key, sqlite3_column_int64(q, column));
}

int ledger_add_parsed(struct json_object *o, const char *key, sqlite3_stmt *q, int column) {
    _cleanup_json_ struct json_object *value = NULL;
    const char *text = (const char *)sqlite3_column_text(q, column);

    if (text)
        (void)json_parse_stored(text, strlen(text), &value); /* written by this program */
    return value ? json_add(o, key, TAKE_PTR(value)) : json_add_null(o, key);
}

static int open_connection(const char *path, const char *synchronous, sqlite3 **ret) {
    int r;

    r = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (r != SQLITE_OK)
        return ledger_error(r);
    sqlite3_extended_result_codes(*ret, 1);
    (void)sqlite3_busy_timeout(*ret, 2000); /* an operator may use the sqlite3 program */
    r = sqlite3_exec(*ret,
                     "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216;"
                     " PRAGMA secure_delete = ON",
                     NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(*ret, synchronous, NULL, NULL, NULL);
    return ledger_error(r);
}

/* SQLite would make it world-readable, and its journals take the mode of the database */
static int create_private(const char *path) {
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    return fchmod(fd, 0600) < 0 ? -errno : 0;
}

int64_t ledger_query_number(Ledger *s, Statement statement) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;

    TRY(ledger_query(s, statement, &q, ""));
    TRY(ledger_step(q));
    return sqlite3_column_int64(q, 0);
}

/* No agent is connected yet. */
static int begin_agents(Ledger *s) {
    s->n_agents = ledger_query_number(s, STATEMENT_AGENT_COUNT);
    if (s->n_agents < 0)
        return (int)s->n_agents;
    return MIN(ledger_execute(s, STATEMENT_AGENT_ALL_GONE, ""), 0);
}

int ledger_open(const char *path, Ledger **ret) {
    _cleanup_(ledger_freep) Ledger *s = calloc(1, sizeof(*s));
    bool newer = false;
    int r;

    if (!s)
        return -ENOMEM;
    TRY(create_private(path));
    TRY(open_connection(path, "PRAGMA synchronous = FULL", &s->durable));
    r = ledger_error(ledger_set_up_schema(s->durable, &newer));
    if (r < 0 || newer)
        return r < 0 ? r : -EPROTONOSUPPORT;
    TRY(open_connection(path, "PRAGMA synchronous = NORMAL", &s->relaxed));
    TRY(begin_agents(s));
    *ret = TAKE_PTR(s);
    return 0;
}

Ledger *ledger_free(Ledger *s) {
    if (!s)
        return NULL;
    for (size_t i = 0; i < _STATEMENT_MAX; i++)
        sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->relaxed);
    (void)sqlite3_close(s->durable);
    free(s);
    return NULL;
}
