/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite for the ledger-*.c files: prepared statements by number, and errors as errno. */
#pragma once

#include <sqlite3.h>

#include "dcm-manager/ledger.h"

typedef enum Statement {
    STATEMENT_AGENT_BY_TOKEN,
    STATEMENT_AGENT_BY_ID,
    STATEMENT_AGENT_MATCH,
    STATEMENT_AGENT_COUNT,
    STATEMENT_AGENT_ADD,
    STATEMENT_AGENT_UPDATE,
    STATEMENT_AGENT_STALE,
    STATEMENT_AGENT_GONE,
    STATEMENT_AGENT_ALL_GONE,
    STATEMENT_AGENT_ALL_DISCONNECTED,
    STATEMENT_AGENT_NAME,
    STATEMENT_AGENT_UNNAME,
    STATEMENT_AGENT_LIST,
    STATEMENT_AGENT_COUNT_UNUSED,
    STATEMENT_AGENT_UNUSED,
    STATEMENT_AGENT_REMOVE,
    STATEMENT_AGENT_TAKES,
    STATEMENT_AGENT_ENROL,
    STATEMENT_AGENT_REVOKE,
    STATEMENT_AGENT_RESTORE,
    STATEMENT_AGENT_SECRETS,
    STATEMENT_AGENT_REPLACE,
    STATEMENT_AGENT_GROUP,
    STATEMENT_TARGET_ALL,
    STATEMENT_TARGET_SHOWN,
    STATEMENT_TARGET_GROUP,
    STATEMENT_TARGET_PLATFORM,
    STATEMENT_TARGET_CONNECTED,
    STATEMENT_WAITING_COUNT,
    STATEMENT_WAITING_FIND,
    STATEMENT_WAITING_SEEN,
    STATEMENT_WAITING_ADD,
    STATEMENT_WAITING_EVICT,
    STATEMENT_WAITING_MATCH,
    STATEMENT_WAITING_SECRETS,
    STATEMENT_WAITING_ACCEPT,
    STATEMENT_WAITING_REJECT,
    STATEMENT_WAITING_REMOVE,
    STATEMENT_WAITING_REMOVE_ID,
    STATEMENT_WAITING_LIST,
    STATEMENT_ENROLMENT_COUNT,
    STATEMENT_ENROLMENT_PURGE,
    STATEMENT_ENROLMENT_ADD,
    STATEMENT_ENROLMENT_FIND,
    STATEMENT_ENROLMENT_USE,
    STATEMENT_ENROLMENT_REVOKE,
    STATEMENT_ENROLMENT_LIST,
    STATEMENT_REQUEST_ADD,
    STATEMENT_REQUEST_GET,
    STATEMENT_REQUEST_MATCH,
    STATEMENT_REQUEST_NOTE,
    STATEMENT_REQUEST_END,
    STATEMENT_REQUEST_QUEUE,
    STATEMENT_REQUEST_COUNT,
    STATEMENT_REQUEST_OPEN,
    STATEMENT_REQUEST_ACKED,
    STATEMENT_REQUEST_COUNT_OPEN,
    STATEMENT_REQUEST_COUNT_ACKED,
    STATEMENT_REQUEST_OLD,
    STATEMENT_REQUEST_EXPIRE,
    STATEMENT_REQUEST_LIST,
    STATEMENT_REQUEST_LIST_OF,
    STATEMENT_LOG_ADD,
    STATEMENT_LOG_TRIM,
    STATEMENT_LOG_LIST,
    STATEMENT_LOG_LIST_OF,
    STATEMENT_ALERT_ADD,
    STATEMENT_ALERT_LIST,
    STATEMENT_ALERT_LIST_OF,
    STATEMENT_ALERT_TRIM,
    STATEMENT_KEPT_ALL,
    STATEMENT_KEPT_MOST,
    STATEMENT_KEPT_REMOVE,
    _STATEMENT_MAX,
} Statement;

struct Ledger {
    sqlite3 *db;
    sqlite3_stmt *statements[_STATEMENT_MAX];
    int64_t n_agents;
    LedgerCounters counters;
    int64_t expired_to; /* rowid of the last request that was examined */
    /* the current group of writes */
    bool has_begun;
    bool wants_sync; /* it has promised data */
    int failure;     /* SQLite has undone the group */
    LedgerPromise *first, **end;
    void (*on_begin)(void *userdata); /* NULL: each write is a group */
    void *userdata;
};

const char *ledger_statement_sql(Statement id) _const_;
/* Binds `types`: 't' const char * (may be NULL), 'i' int64_t. The caller resets the statement with
 * _cleanup_(statement_resetp). */
int ledger_query(Ledger *s, Statement id, sqlite3_stmt **ret, const char *types, ...);
/* 1: a row; 0: no more. */
int ledger_step(sqlite3_stmt *q);
/* Executes a statement that writes, in the current group; returns the number of changed rows. */
int ledger_execute(Ledger *s, Statement id, const char *types, ...);

static inline void statement_resetp(sqlite3_stmt **q) {
    if (*q) {
        (void)sqlite3_reset(*q);
        (void)sqlite3_clear_bindings(*q);
    }
}

/* The number that the statement selects, or a negative errno. */
int64_t ledger_query_number(Ledger *s, Statement id);

/* Copies a text column; NULL stays NULL. */
int ledger_column_dup(sqlite3_stmt *q, int column, char **ret);
/* Each adds one key; a NULL column becomes null. */
int ledger_add_text(struct json_object *o, const char *key, sqlite3_stmt *q, int column);
int ledger_add_int(struct json_object *o, const char *key, sqlite3_stmt *q, int column);
int ledger_add_parsed(struct json_object *o, const char *key, sqlite3_stmt *q, int column);

/* To be bound; NULL stays NULL. */
const char *ledger_json_text(struct json_object *o);
int64_t ledger_now(void);
