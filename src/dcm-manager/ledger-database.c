/* SPDX-License-Identifier: Apache-2.0 */
/* One connection in WAL mode with synchronous=NORMAL, so that a commit does not wait for the disk;
 * a group with promised data synchronises the WAL afterwards, as SQLite would with FULL. The prior
 * groups are in front of it in the same file. */
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
    "SELECT id, claimed, server_id, coalesce(name, id), vm_instance, stale_told, used,"            \
    " revoked IS NOT NULL, group_name, platform, platform_version "
#define REQUEST_COLUMNS                                                                            \
    "SELECT guid, agent, json_extract(payload, '$.command'), state, created, updated,"             \
    " iif(json_valid(reply), json_extract(reply, '$.return_code'), NULL), rowid, length(payload)"  \
    " FROM requests WHERE rowid < ?3 "
/* the last two of each: the place in the order, and the size */
#define LOG_COLUMNS                                                                                \
    "SELECT agent, time, level, message, id, length(message) FROM logs WHERE id < ?3 "
#define ALERT_COLUMNS "SELECT agent, time, alert, id, length(alert) FROM alerts WHERE id < ?3 "
/* of agents that may be targets; the first one is the place in the index */
#define TARGETS(place, index)                                                                      \
    "SELECT " place ", id, coalesce(name, id), revoked IS NOT NULL, group_name, platform,"         \
    " platform_version FROM agents " index " WHERE " place " >= ?2 "
#define OVER "('REPLIED', 'NACKED')"
#define OPEN "('QUEUED', 'SENT')"

const uint64_t ledger_commit_bounds_usec[COMMIT_BOUNDS] = {
    1000, 2500, 5000, 10000, 25000, 50000, 100000, 500000, 2500000,
};

static const struct {
    bool relaxed; /* a power failure may lose it */
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
                " WHERE NOT EXISTS (SELECT 1 FROM agents WHERE name = ?1)"
                " AND NOT EXISTS (SELECT 1 FROM waiting WHERE id = ?1)"},
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
                              " (SELECT 1 FROM agents WHERE (name = ?2 OR id = ?2) AND id != ?1)"
                              " AND NOT EXISTS (SELECT 1 FROM waiting WHERE id = ?2)"},
    [STATEMENT_AGENT_UNNAME] = {false, "UPDATE agents SET name = NULL WHERE id = ?"},
    [STATEMENT_AGENT_LIST] =
        {false, "SELECT id, coalesce(name, id), version, platform, platform_version, ipv4, ipv6,"
                " created, connected, disconnected, claimed, vm_instance, injected_id, group_name,"
                " enrolled_by, revoked FROM agents"
                " WHERE (created, id) > (?1, ?2) ORDER BY created, id LIMIT ?3"},
    [STATEMENT_AGENT_COUNT_UNUSED] =
        {false, "SELECT count(*) FROM agents WHERE used = 0 AND absent IS NOT NULL"},
    [STATEMENT_AGENT_UNUSED] = {false, "SELECT id FROM agents WHERE used = 0 AND absent IS NOT NULL"
                                       " ORDER BY absent LIMIT 1"},
    [STATEMENT_AGENT_REMOVE] = {false, "DELETE FROM agents WHERE id = ?"},
    [STATEMENT_AGENT_TAKES] = {false, "SELECT 1 FROM agents WHERE id = ?1 OR name = ?1 UNION ALL"
                                      " SELECT 1 FROM waiting WHERE id = ?1"},
    [STATEMENT_AGENT_ENROL] =
        {false, "UPDATE agents SET used = 1, group_name = ?2, enrolled_by = ?3 WHERE id = ?1"},
    [STATEMENT_AGENT_REVOKE] =
        {false, "UPDATE agents SET revoked = coalesce(revoked, ?2), used = max(used, ?3)"
                " WHERE id = ?1"},
    [STATEMENT_AGENT_RESTORE] = {false, "UPDATE agents SET revoked = NULL WHERE id = ?1"
                                        " AND revoked IS NOT NULL"},
    [STATEMENT_AGENT_SECRETS] = {false,
                                 "SELECT token, claimed, vm_instance FROM agents WHERE id = ?"},
    [STATEMENT_AGENT_REPLACE] =
        {false, "UPDATE agents SET token = ?2, claimed = ?3, vm_instance = ?4, used = 1,"
                " revoked = NULL, stale_told = 0 WHERE id = ?1"},
    [STATEMENT_AGENT_GROUP] = {false, "UPDATE agents SET used = 1, group_name = ?2 WHERE id = ?1"},
    [STATEMENT_TARGET_ALL] = {false, TARGETS("id", "") "ORDER BY id LIMIT ?3"},
    [STATEMENT_TARGET_SHOWN] =
        {false, TARGETS("coalesce(name, id)",
                        "INDEXED BY agents_shown") "AND coalesce(name, id) < ?1"
                                                   " ORDER BY coalesce(name, id) LIMIT ?3"},
    [STATEMENT_TARGET_GROUP] =
        {false,
         TARGETS("id", "INDEXED BY agents_group") "AND group_name = ?1 ORDER BY id LIMIT ?3"},
    [STATEMENT_TARGET_PLATFORM] =
        {false,
         TARGETS("id", "INDEXED BY agents_platform") "AND platform = ?1 ORDER BY id LIMIT ?3"},
    [STATEMENT_TARGET_CONNECTED] =
        {false,
         TARGETS("id", "INDEXED BY agents_connected") "AND absent IS NULL ORDER BY id LIMIT ?3"},
    [STATEMENT_WAITING_COUNT] = {true, "SELECT count(*) FROM waiting"},
    [STATEMENT_WAITING_FIND] = {true, "SELECT id, rejected IS NOT NULL FROM waiting"
                                      " WHERE token = ?"},
    [STATEMENT_WAITING_SEEN] =
        {true, "UPDATE waiting SET seen = ?2, source = ?3, peer = ?4, claimed = ?5,"
               " host_name = ?6, vm_instance = ?7, injected_id = ?8, version = ?9, platform = ?10,"
               " platform_version = ?11, ipv4 = ?12, ipv6 = ?13 WHERE token = ?1"},
    [STATEMENT_WAITING_ADD] = {true, "INSERT INTO waiting (id, token, source, peer, created, seen)"
                                     " SELECT ?1, ?2, ?3, ?4, ?5, ?5 WHERE NOT EXISTS"
                                     " (SELECT 1 FROM agents WHERE id = ?1 OR name = ?1)"},
    /* one after the other of the address with the most, each time the one seen the longest ago */
    [STATEMENT_WAITING_EVICT] =
        {true, "DELETE FROM waiting WHERE id IN (SELECT id FROM (SELECT id, seen, row_number() OVER"
               " (PARTITION BY source ORDER BY seen DESC) AS n FROM waiting)"
               " ORDER BY n DESC, seen LIMIT ?)"},
    [STATEMENT_WAITING_MATCH] = {false,
                                 "SELECT id, 0 AS how FROM waiting WHERE id = ?1 UNION ALL"
                                 " SELECT id, 1 FROM (SELECT id FROM waiting WHERE id > ?1"
                                 " AND id < ?1 || char(0x10ffff) ORDER BY id LIMIT 2) UNION ALL"
                                 " SELECT id, 1 FROM (SELECT id FROM waiting WHERE length(?1) >= ?2"
                                 " AND token >= ?1 AND token < ?1 || 'g' ORDER BY token LIMIT 2)"
                                 " ORDER BY how LIMIT 2"},
    [STATEMENT_WAITING_SECRETS] = {false,
                                   "SELECT token, claimed, vm_instance FROM waiting WHERE id = ?"},
    [STATEMENT_WAITING_ACCEPT] =
        {false, "INSERT INTO agents (id, server_id, token, claimed, vm_instance, injected_id,"
                " version, platform, platform_version, ipv4, ipv6, name, used, created, absent)"
                " SELECT id, ?2, token, claimed, vm_instance, injected_id, version, platform,"
                " platform_version, ipv4, ipv6, ?3, 1, ?4, ?4 FROM waiting WHERE id = ?1"},
    [STATEMENT_WAITING_REJECT] = {false, "UPDATE waiting SET rejected = ?2 WHERE id = ?1"},
    [STATEMENT_WAITING_REMOVE] = {false, "DELETE FROM waiting WHERE token = ?"},
    [STATEMENT_WAITING_REMOVE_ID] = {false, "DELETE FROM waiting WHERE id = ?"},
    [STATEMENT_WAITING_LIST] =
        {false, "SELECT id, claimed, host_name, vm_instance, injected_id, version, platform,"
                " platform_version, ipv4, ipv6, peer, created, seen, rejected, token FROM waiting"
                " WHERE (created, id) > (?1, ?2) ORDER BY created, id LIMIT ?3"},
#define ENDED "(revoked IS NOT NULL OR used >= uses OR expires <= ?)"
    [STATEMENT_ENROLMENT_COUNT] = {false, "SELECT count(*) FROM enrolment_tokens"},
    [STATEMENT_ENROLMENT_PURGE] = {false, "DELETE FROM enrolment_tokens WHERE " ENDED},
    [STATEMENT_ENROLMENT_ADD] =
        {false, "INSERT INTO enrolment_tokens (id, secret, group_name, name, created, expires,"
                " uses) VALUES (?, ?, ?, ?, ?, ?, ?)"},
    [STATEMENT_ENROLMENT_FIND] =
        {false, "SELECT id, group_name, name, revoked IS NOT NULL, used >= uses, expires"
                " FROM enrolment_tokens WHERE secret = ?"},
    [STATEMENT_ENROLMENT_USE] = {false, "UPDATE enrolment_tokens SET used = used + 1"
                                        " WHERE id = ? AND used < uses"},
    [STATEMENT_ENROLMENT_REVOKE] =
        {false, "UPDATE enrolment_tokens SET revoked = coalesce(revoked, ?2) WHERE id = ?1"},
    [STATEMENT_ENROLMENT_LIST] =
        {false, "SELECT id, group_name, name, created, expires, uses, used, revoked"
                " FROM enrolment_tokens ORDER BY created, id"},
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
    [STATEMENT_REQUEST_COUNT_OPEN] =
        {false, "SELECT count(*) FROM (SELECT 1 FROM requests WHERE state IN " OPEN " LIMIT ?)"},
    [STATEMENT_REQUEST_COUNT_ACKED] =
        {false, "SELECT count(*) FROM (SELECT 1 FROM requests WHERE state = 'ACKED' LIMIT ?)"},
    [STATEMENT_REQUEST_OLD] =
        {true, "SELECT count(*), max(rowid) FROM (SELECT rowid FROM requests WHERE rowid > ?1"
               " AND rowid <= (SELECT max(rowid) FROM requests) - ?2 ORDER BY rowid LIMIT ?3)"},
    [STATEMENT_REQUEST_EXPIRE] = {true, "DELETE FROM requests WHERE rowid > ?1 AND rowid <= ?2"
                                        " AND +state IN " OVER},
    [STATEMENT_REQUEST_LIST] = {false, REQUEST_COLUMNS "ORDER BY rowid DESC LIMIT ?1"},
    [STATEMENT_REQUEST_LIST_OF] = {false,
                                   REQUEST_COLUMNS "AND agent = ?2 ORDER BY rowid DESC LIMIT ?1"},
    [STATEMENT_LOG_ADD] = {true,
                           "INSERT INTO logs (agent, time, level, message) VALUES (?, ?, ?, ?)"},
    [STATEMENT_LOG_TRIM] =
        {true, "DELETE FROM logs WHERE agent = ?1 AND id <= (SELECT max(id) FROM (SELECT id,"
               " row_number() OVER newest AS n, sum(bytes) OVER newest AS size FROM logs"
               " WHERE agent = ?1 WINDOW newest AS (ORDER BY id DESC)) WHERE n > ?2 OR size > ?3)"},
    [STATEMENT_LOG_LIST] = {true, LOG_COLUMNS "ORDER BY id DESC LIMIT ?1"},
    [STATEMENT_LOG_LIST_OF] = {true, LOG_COLUMNS "AND agent = ?2 ORDER BY id DESC LIMIT ?1"},
    [STATEMENT_ALERT_LIST] = {false, ALERT_COLUMNS "ORDER BY id DESC LIMIT ?1"},
    [STATEMENT_ALERT_LIST_OF] = {false, ALERT_COLUMNS "AND agent = ?2 ORDER BY id DESC LIMIT ?1"},
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

const char *ledger_statement_sql(Statement id) {
    return statements[id].sql;
}

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

const char *ledger_json_text(struct json_object *o) {
    return o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN) : NULL;
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
        int r = sqlite3_prepare_v3(s->db, statements[id].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                   &s->statements[id], NULL);

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

/* If it fails, so does the whole group, at once: waiting for a lock takes seconds. */
static int begin(Ledger *s) {
    if (s->has_begun)
        return s->failure;
    s->failure = ledger_error(sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    s->has_begun = true;
    if (s->on_begin)
        s->on_begin(s->userdata);
    return s->failure;
}

static int change(sqlite3_stmt *q, const char *types, va_list ap) {
    TRY(bind_all(q, types, ap));
    TRY(ledger_step(q));
    return sqlite3_changes(sqlite3_db_handle(q));
}

int ledger_execute(Ledger *s, Statement id, const char *types, ...) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    va_list ap;
    int r, committed;

    TRY(get_statement(s, id, &q));
    r = begin(s);
    if (r < 0) {
        if (!s->on_begin)
            (void)ledger_commit(s);
        return r;
    }
    va_start(ap, types);
    r = change(q, types, ap);
    va_end(ap);
    /* some errors undo only this statement, others the whole group */
    if (r < 0 && sqlite3_get_autocommit(s->db))
        s->failure = r;
    s->wants_sync |= r > 0 && !statements[id].relaxed;
    if (s->on_begin)
        return r;
    statement_resetp(&q);
    committed = ledger_commit(s);
    return committed < 0 && r >= 0 ? committed : r;
}

/* What SQLite does after a commit with synchronous=FULL. What could not be synchronised is tried
 * again with the next group. */
static int synchronise(Ledger *s) {
    sqlite3_file *wal = NULL;

    TRY(ledger_error(sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal)));
    if (!wal || !wal->pMethods)
        return -EIO;
    TRY(ledger_error(wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL)));
    s->wants_sync = false;
    return 0;
}

static int end_group(Ledger *s) {
    int r = s->failure;

    if (r >= 0)
        r = ledger_error(sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL));
    if (r < 0 && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return r >= 0 && s->wants_sync ? synchronise(s) : r;
}

/* Promises may begin the next group. */
static void keep_promises(Ledger *s, int error) {
    LedgerPromise *p = s->first, *next;

    s->first = NULL;
    s->end = &s->first;
    for (; p; p = next) {
        next = p->next;
        p->done(p, error);
    }
}

static void count_commit(Ledger *s, uint64_t usec, int error) {
    size_t i = 0;

    if (error < 0) {
        s->counters.n_failed++;
        return;
    }
    while (i < COMMIT_BOUNDS && usec > ledger_commit_bounds_usec[i])
        i++;
    s->counters.commits[i]++;
    s->counters.commits_usec += usec;
}

const LedgerCounters *ledger_get_counters(const Ledger *s) {
    return &s->counters;
}

int ledger_commit(Ledger *s) {
    uint64_t from = now_usec(CLOCK_MONOTONIC);
    int r;

    if (!s->has_begun)
        return 0;
    r = end_group(s);
    count_commit(s, now_usec(CLOCK_MONOTONIC) - from, r);
    s->has_begun = false;
    s->failure = 0;
    if (r < 0) /* registrations are undone, too */
        s->n_agents = MAX(ledger_query_number(s, STATEMENT_AGENT_COUNT), (int64_t)0);
    keep_promises(s, r);
    return r;
}

void ledger_promise(Ledger *s, LedgerPromise *p) {
    if (!s->has_begun && !s->wants_sync) {
        p->done(p, 0);
        return;
    }
    (void)begin(s);
    p->next = NULL;
    *s->end = p;
    s->end = &p->next;
}

void ledger_set_group(Ledger *s, void (*on_begin)(void *userdata), void *userdata) {
    s->on_begin = on_begin;
    s->userdata = userdata;
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

static int open_connection(const char *path, sqlite3 **ret) {
    int r;

    r = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (r != SQLITE_OK)
        return ledger_error(r);
    sqlite3_extended_result_codes(*ret, 1);
    (void)sqlite3_busy_timeout(*ret, 2000); /* an operator may use the sqlite3 program */
    r = sqlite3_exec(*ret,
                     "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216;"
                     " PRAGMA secure_delete = ON; PRAGMA synchronous = NORMAL",
                     NULL, NULL, NULL);
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
    s->end = &s->first;
    TRY(create_private(path));
    TRY(open_connection(path, &s->db));
    r = ledger_error(ledger_set_up_schema(s->db, &newer));
    if (r < 0 || newer)
        return r < 0 ? r : -EPROTONOSUPPORT;
    TRY(begin_agents(s));
    *ret = TAKE_PTR(s);
    return 0;
}

Ledger *ledger_free(Ledger *s) {
    if (!s)
        return NULL;
    s->on_begin = NULL;
    (void)ledger_commit(s);
    for (size_t i = 0; i < _STATEMENT_MAX; i++)
        sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->db);
    free(s);
    return NULL;
}
