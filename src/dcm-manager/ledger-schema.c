/* SPDX-License-Identifier: Apache-2.0 */
/* A new database passes through all versions, so that there is one way to each. */
#include "dcm-manager/ledger-schema.h"

#include <stdio.h>

#include "basic/macro.h"
#include "basic/sha256.h"

#define OVER "('REPLIED', 'NACKED')"

static const char *const versions[] = {
    "CREATE TABLE agents (id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, claimed TEXT,"
    " stale_told INTEGER NOT NULL DEFAULT 0, server_id TEXT NOT NULL, server_name TEXT NOT NULL,"
    " vm_instance TEXT, injected_id TEXT, version TEXT, platform TEXT, platform_version TEXT,"
    " ipv4 TEXT, ipv6 TEXT, features TEXT, created INTEGER NOT NULL, connected INTEGER,"
    " disconnected INTEGER) WITHOUT ROWID;"
    "CREATE INDEX agents_name ON agents (server_name);"
    "CREATE TABLE requests (guid TEXT PRIMARY KEY, agent TEXT NOT NULL, payload TEXT NOT NULL,"
    " state TEXT NOT NULL, reply TEXT, error TEXT, created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL);"
    "CREATE INDEX requests_agent ON requests (agent, state);"
    "CREATE INDEX requests_updated ON requests (state, updated);"
    "CREATE TABLE logs (id INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL,"
    " time INTEGER NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL);"
    "CREATE INDEX logs_agent ON logs (agent, id);"
    "CREATE TABLE alerts (id INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL,"
    " guid TEXT NOT NULL, time INTEGER NOT NULL, alert TEXT NOT NULL, UNIQUE (agent, guid));"
    "CREATE INDEX alerts_agent ON alerts (agent, id);",

    /* From now on names come from operators. server_name could also come from an agent: its
     * instance, or else its id. `used`: an operator has named the agent or ordered something;
     * `absent`: since when it is disconnected. */
    "ALTER TABLE agents RENAME TO agents_1;"
    "CREATE TABLE agents (id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, claimed TEXT,"
    " stale_told INTEGER NOT NULL DEFAULT 0, server_id TEXT NOT NULL, name TEXT UNIQUE,"
    " used INTEGER NOT NULL DEFAULT 0, absent INTEGER,"
    " vm_instance TEXT, injected_id TEXT, version TEXT, platform TEXT, platform_version TEXT,"
    " ipv4 TEXT, ipv6 TEXT, features TEXT, created INTEGER NOT NULL, connected INTEGER,"
    " disconnected INTEGER) WITHOUT ROWID;"
    "INSERT INTO agents SELECT id, token, claimed, stale_told, server_id,"
    " CASE WHEN server_name != id AND server_name IS NOT vm_instance THEN server_name END,"
    " (server_name != id AND server_name IS NOT vm_instance)"
    " OR EXISTS (SELECT 1 FROM requests WHERE agent = agents_1.id), disconnected,"
    " vm_instance, injected_id, version, platform, platform_version, ipv4, ipv6, features, created,"
    " connected, disconnected FROM agents_1;"
    "DROP TABLE agents_1;"
    "CREATE INDEX agents_unused ON agents (absent) WHERE used = 0 AND absent IS NOT NULL;"
    "CREATE TRIGGER requests_INSERT AFTER INSERT ON requests BEGIN"
    " UPDATE agents SET used = 1 WHERE id = NEW.agent AND used = 0; END;"
    /* ended requests need no arguments, and some are secrets */
    "ALTER TABLE requests ADD COLUMN payload_sha256 TEXT;"
    "UPDATE requests SET payload_sha256 = sha256(payload);"
    "UPDATE requests SET payload = json_object('command', json_extract(payload, '$.command'))"
    " WHERE state IN " OVER ";"
    "ALTER TABLE logs ADD COLUMN bytes INTEGER AS (length(CAST(message AS BLOB)));"
    "DROP INDEX logs_agent;"
    "CREATE INDEX logs_agent ON logs (agent, id, bytes);"
    "ALTER TABLE alerts ADD COLUMN bytes INTEGER AS (length(CAST(alert AS BLOB)));"
    "DROP INDEX alerts_agent;"
    "CREATE INDEX alerts_agent ON alerts (agent, id, bytes);"
    /* size of the kept data of each agent, and under the name '' the sum */
    "CREATE TABLE kept (agent TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO kept SELECT agent, sum(bytes) FROM (SELECT agent, bytes FROM logs UNION ALL"
    " SELECT agent, bytes FROM alerts) GROUP BY agent;"
    "INSERT INTO kept SELECT '', coalesce(sum(bytes), 0) FROM kept;"
    "CREATE INDEX kept_bytes ON kept (bytes);"
#define COUNT(table, event, row, sign)                                                             \
    "CREATE TRIGGER " table "_" event " AFTER " event " ON " table " BEGIN"                        \
    " INSERT OR IGNORE INTO kept VALUES (" row ".agent, 0);"                                       \
    " UPDATE kept SET bytes = bytes " sign " " row ".bytes WHERE agent IN (" row ".agent, '');"    \
    "END;"
    COUNT("logs", "INSERT", "NEW", "+") COUNT("logs", "DELETE", "OLD", "-")
        COUNT("alerts", "INSERT", "NEW", "+") COUNT("alerts", "DELETE", "OLD", "-"),

    /* what waits is found without what has ended, and the requests of an agent in their order */
    "DROP INDEX requests_agent; DROP INDEX requests_updated;"
    "CREATE INDEX requests_of ON requests (agent);"
    "CREATE INDEX requests_open ON requests (agent) WHERE state IN ('QUEUED', 'SENT');"
    "CREATE INDEX agents_created ON agents (created);"
    "CREATE INDEX requests_acked ON requests (agent) WHERE state = 'ACKED';",

    /* Agents that are known already stay accepted. `token` and `secret` are SHA-256; `source` is
     * the peer's address as far as it counts for one host. */
    "ALTER TABLE agents ADD COLUMN group_name TEXT;"
    "ALTER TABLE agents ADD COLUMN enrolled_by TEXT;"
    "ALTER TABLE agents ADD COLUMN revoked INTEGER;"
    "CREATE TABLE waiting (id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, claimed TEXT,"
    " host_name TEXT, vm_instance TEXT, injected_id TEXT, version TEXT, platform TEXT,"
    " platform_version TEXT, ipv4 TEXT, ipv6 TEXT, source TEXT NOT NULL, peer TEXT NOT NULL,"
    " created INTEGER NOT NULL, seen INTEGER NOT NULL, rejected INTEGER) WITHOUT ROWID;"
    "CREATE INDEX waiting_created ON waiting (created, id);"
    "CREATE INDEX waiting_source ON waiting (source, seen);"
    "CREATE TABLE enrolment_tokens (id TEXT PRIMARY KEY, secret TEXT NOT NULL UNIQUE,"
    " group_name TEXT, name TEXT, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " uses INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0, revoked INTEGER) WITHOUT ROWID;",

    /* Whom an operator means by a group, a fact, or a pattern of the names that lists show; each
     * index has the id behind its own columns. */
    "CREATE INDEX agents_group ON agents (group_name) WHERE group_name IS NOT NULL;"
    "CREATE INDEX agents_platform ON agents (platform) WHERE platform IS NOT NULL;"
    "CREATE INDEX agents_connected ON agents (id) WHERE absent IS NULL;"
    "CREATE INDEX agents_shown ON agents (coalesce(name, id));",
};

static int get_version(sqlite3 *db, int *ret) {
    sqlite3_stmt *q = NULL;
    int r;

    r = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_step(q);
    if (r == SQLITE_ROW)
        *ret = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return r == SQLITE_ROW ? SQLITE_OK : r;
}

static void on_sha256(sqlite3_context *context, int n, sqlite3_value **values) {
    const void *text = sqlite3_value_blob(values[0]);
    char hex[SHA256_HEX_SIZE];

    sha256_hex(text ?: "", (size_t)sqlite3_value_bytes(values[0]), hex);
    sqlite3_result_text(context, hex, -1, SQLITE_TRANSIENT);
}

static int upgrade(sqlite3 *db, int version) {
    char set_version[64];
    int r = SQLITE_OK;

    for (; version < (int)ELEMENTSOF(versions) && r == SQLITE_OK; version++)
        r = sqlite3_exec(db, versions[version], NULL, NULL, NULL);
    (void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", version);
    return r == SQLITE_OK ? sqlite3_exec(db, set_version, NULL, NULL, NULL) : r;
}

int ledger_set_up_schema(sqlite3 *db, bool *ret_newer) {
    int version = 0, r;

    r = get_version(db, &version);
    *ret_newer = version > (int)ELEMENTSOF(versions);
    if (r != SQLITE_OK || version >= (int)ELEMENTSOF(versions))
        return r;
    r = sqlite3_create_function(db, "sha256", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                on_sha256, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = upgrade(db, version);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (r != SQLITE_OK)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}
