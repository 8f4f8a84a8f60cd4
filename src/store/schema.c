/* SPDX-License-Identifier: Apache-2.0 */
/* One migration per version; PRAGMA user_version says which have been applied. Each runs in a
 * transaction of its own, together with its version. Never edit a released migration: add another
 * one. */
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>

#include "basic/macro.h"

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE requests ("
    " guid TEXT PRIMARY KEY NOT NULL,"
    " agent_id TEXT,"
    " command TEXT NOT NULL,"
    " state TEXT NOT NULL,"
    " payload TEXT," /* JSON, until the reply is stored */
    " payload_sha256 TEXT NOT NULL,"
    " reply TEXT," /* JSON */
    " error_message TEXT,"
    " accepted INTEGER NOT NULL," /* CLOCK_REALTIME in us, for people */
    " changed INTEGER NOT NULL,"  /* the same */
    " updated INTEGER NOT NULL"   /* running time in us, for retention */
    ");"
    "CREATE INDEX requests_by_state ON requests (state, updated);"
    "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;",
    /* 2 */
    "CREATE TABLE jobs ("
    " job_id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " guid TEXT NOT NULL UNIQUE,"
    " command TEXT NOT NULL,"
    " customer_id TEXT,"
    " status TEXT NOT NULL,"
    " payload TEXT,"             /* JSON, until the end */
    " reply TEXT,"               /* JSON, from the end on */
    " started INTEGER NOT NULL," /* CLOCK_REALTIME in us, 0 before */
    " ended INTEGER NOT NULL,"   /* the same */
    " updated INTEGER NOT NULL"  /* running time in us, for retention */
    ");"
    "CREATE INDEX jobs_by_status ON jobs (status, updated);",
    /* 3 */
    "CREATE TABLE outputs ("
    " guid TEXT PRIMARY KEY NOT NULL,"
    " bytes INTEGER NOT NULL,"  /* on disk */
    " updated INTEGER NOT NULL" /* running time in us, for retention */
    ");"
    "CREATE INDEX outputs_by_age ON outputs (updated);"
    /* older outputs expire by age alone */
    "INSERT INTO outputs (guid, bytes, updated) SELECT guid, 0, updated FROM requests"
    " WHERE state IN ('REPLY', 'REPLY_ACKED', 'REPLY_NACKED') AND command NOT IN"
    " ('heartbeat', 'get_agent_data', 'get_job_description', 'get_job_output')"
    " AND guid NOT IN (SELECT guid FROM jobs WHERE status IN ('WAITING', 'RUNNING'))"
    " ORDER BY updated;",
    /* 4 */
    "CREATE TABLE users ("
    " name TEXT PRIMARY KEY NOT NULL,"
    " agent_id TEXT,"
    " administrator INTEGER NOT NULL,"
    " created INTEGER NOT NULL" /* CLOCK_REALTIME in us, for people */
    ") WITHOUT ROWID;",
    /* 5 */
    "CREATE TABLE stats ("
    " name TEXT PRIMARY KEY NOT NULL,"
    " type TEXT NOT NULL,"
    " hold INTEGER NOT NULL,"
    " interval INTEGER NOT NULL" /* us */
    ") WITHOUT ROWID;",
    /* 6 */
    "CREATE TABLE alerts ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* the order of sending */
    " guid TEXT NOT NULL UNIQUE,"
    " hash TEXT NOT NULL,"        /* alert_key() */
    " state INTEGER NOT NULL,"    /* AlertState */
    " time INTEGER NOT NULL,"     /* of the alert, in ms since the epoch */
    " received INTEGER NOT NULL," /* the same, of its arrival */
    " level INTEGER NOT NULL,"
    " rule INTEGER NOT NULL,"
    " user TEXT,"
    " source_ip TEXT,"
    " subject TEXT NOT NULL,"
    " message TEXT NOT NULL,"
    " bytes INTEGER NOT NULL,"  /* approximate size of the row */
    " updated INTEGER NOT NULL" /* running time in us, for retention */
    ");"
    "CREATE UNIQUE INDEX alerts_by_hash ON alerts (time, hash);"
    "CREATE INDEX alerts_waiting ON alerts (id) WHERE state = 1;"
    "CREATE INDEX alerts_over ON alerts (updated) WHERE state <> 1;"
    "CREATE TABLE alert_totals ("
    " state INTEGER PRIMARY KEY NOT NULL,"
    " n INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL"
    ");"
    "INSERT INTO alert_totals (state, n, bytes) VALUES (0, 0, 0), (1, 0, 0), (2, 0, 0);"
    "CREATE TRIGGER alert_added AFTER INSERT ON alerts BEGIN"
    " UPDATE alert_totals SET n = n + 1, bytes = bytes + new.bytes WHERE state = new.state; END;"
    "CREATE TRIGGER alert_removed AFTER DELETE ON alerts BEGIN"
    " UPDATE alert_totals SET n = n - 1, bytes = bytes - old.bytes WHERE state = old.state; END;"
    "CREATE TRIGGER alert_changed AFTER UPDATE OF state ON alerts BEGIN"
    " UPDATE alert_totals SET n = n - 1, bytes = bytes - old.bytes WHERE state = old.state;"
    " UPDATE alert_totals SET n = n + 1, bytes = bytes + new.bytes WHERE state = new.state; END;",
    /* 7: replied is CLOCK_REALTIME in us, for people */
    "ALTER TABLE requests ADD replied INTEGER; ALTER TABLE requests ADD return_code INTEGER;",
};

/* Exclusive: two agents must never work on one database; this also avoids the shared-memory file. A
 * small cache suffices, because rows are read by key. */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA secure_delete = ON;"
                               "PRAGMA cache_size = -512;";

/* by the index, because there may be a million rows */
static const char newest_change[] =
    "WITH states (name) AS (VALUES ('ACKED'), ('REPLY'), ('NACKED'), ('REPLY_NACKED'),"
    " ('REPLY_ACKED')) SELECT max((SELECT max(updated) FROM requests WHERE state = name))"
    " FROM states";

static int query_int(sqlite3 *db, const char *text, int64_t *ret) {
    sqlite3_stmt *st = NULL;
    int r;

    *ret = 0;
    r = sqlite3_prepare_v2(db, text, -1, &st, NULL);
    if (r == SQLITE_OK) {
        r = sqlite3_step(st);
        if (r == SQLITE_ROW)
            *ret = sqlite3_column_int64(st, 0);
        r = r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
    }
    (void)sqlite3_finalize(st);
    return r;
}

static int migrate(sqlite3 *db, size_t version) {
    char set_version[64];
    int r;

    (void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %zu", version + 1);
    r = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, migrations[version], NULL, NULL, NULL);
    if (r == SQLITE_ERROR) /* an object exists that this migration makes */
        r = SQLITE_CORRUPT;
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, set_version, NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (r != SQLITE_OK && !sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

int schema_prepare(sqlite3 *db, uint64_t *ret_running_usec) {
    int64_t version, stored, newest;
    int r;

    (void)sqlite3_extended_result_codes(db, 1);
    r = sqlite3_exec(db, settings, NULL, NULL, NULL);
    if (r != SQLITE_OK)
        return r;
    r = query_int(db, "PRAGMA user_version", &version);
    if (r != SQLITE_OK)
        return r;
    if (version > (int64_t)ELEMENTSOF(migrations))
        return -EPROTONOSUPPORT;
    if (version < 0)
        return SQLITE_CORRUPT;
    for (; version < (int64_t)ELEMENTSOF(migrations); version++) {
        r = migrate(db, (size_t)version);
        if (r != SQLITE_OK)
            return r;
    }
    r = query_int(db,
                  "SELECT CAST(value AS INTEGER) FROM meta WHERE key = '" STORE_META_RUNNING "'",
                  &stored);
    if (r == SQLITE_OK)
        r = query_int(db, newest_change, &newest);
    if (r == SQLITE_OK)
        *ret_running_usec = (uint64_t)MAX(stored, newest);
    return r;
}
