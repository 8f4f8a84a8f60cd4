/* SPDX-License-Identifier: Apache-2.0 */
/* The prepared statements and the connection, shared by the files of this folder. */
#pragma once

#include <sqlite3.h>

#include "proto/request-state.h"

typedef struct Store Store;

typedef enum Statement {
    STATEMENT_INSERT,
    STATEMENT_SET_REPLY,
    STATEMENT_SET_STATE,
    STATEMENT_LOAD,
    STATEMENT_LIST_OPEN,
    STATEMENT_LIST_NEWEST,
    STATEMENT_COUNT,
    STATEMENT_DROP_FOREIGN,
    STATEMENT_LIST_EXPIRED,
    STATEMENT_REMOVE,
    STATEMENT_INSERT_JOB,
    STATEMENT_START_JOB,
    STATEMENT_FINISH_JOB,
    STATEMENT_LOAD_JOB,
    STATEMENT_LOAD_JOB_PAYLOAD,
    STATEMENT_LIST_JOBS,
    STATEMENT_REMOVE_JOBS,
    STATEMENT_ADD_OUTPUT,
    STATEMENT_REMOVE_OUTPUT,
    STATEMENT_SUM_OUTPUTS,
    STATEMENT_LIST_OUTPUTS,
    STATEMENT_ADD_USER,
    STATEMENT_REMOVE_USER,
    STATEMENT_HAS_USER,
    STATEMENT_LIST_USERS,
    STATEMENT_SET_STAT,
    STATEMENT_REMOVE_STAT,
    STATEMENT_LIST_STATS,
    STATEMENT_ADD_ALERT,
    STATEMENT_GET_ALERT_STATE,
    STATEMENT_ACKNOWLEDGE_ALERT,
    STATEMENT_LIST_WAITING_ALERTS,
    STATEMENT_LIST_ALERTS,
    STATEMENT_SUM_ALERTS,
    STATEMENT_REMOVE_ALERTS,
    STATEMENT_GET_META,
    STATEMENT_SET_META,
    _STATEMENT_MAX,
} Statement;

struct Store {
    sqlite3 *db;
    sqlite3_stmt *statements[_STATEMENT_MAX];
    bool in_transaction;
    uint64_t running_base_usec; /* plus CLOCK_BOOTTIME is the running time */
    unsigned counts[_REQUEST_STATE_MAX];
    bool counted; /* `counts` is valid; otherwise the next query counts */
    uint64_t output_bytes;
    bool outputs_summed; /* `output_bytes` is valid */
    void (*on_output)(void *userdata);
    void *output_userdata;
    void (*on_damaged)(void *userdata);
    void *userdata;
    bool has_payloads; /* one with arguments was stored, or may have been, since the last wipe */
    bool has_remains;  /* of a payload that no row has any more, in the log */
    void (*on_remains)(void *userdata);
    void *remains_userdata;
};

/* A payload with arguments goes. */
void store_note_remains(Store *s);

/* Converts SQLite's code to a negative errno and logs the message at level debug. */
int store_sqlite_error(Store *s, int code);

/* The running time: CLOCK_BOOTTIME summed over boots. */
uint64_t store_running_usec(const Store *s);

/* Prepares the statement at first use, and binds values by `types`: 't' const char * (may be NULL),
 * which must outlive the steps; 'i' int; 'u' unsigned; 'l' 64 bits. The caller resets it:
 * _cleanup_statement_. */
int store_query(Store *s, Statement which, sqlite3_stmt **ret, const char *types, ...);
void store_statement_reset(sqlite3_stmt **p);
#define _cleanup_statement_ _cleanup_(store_statement_reset)

/* 1: a row; 0: no more. */
int store_step(Store *s, sqlite3_stmt *st);
/* Copies a text column; 0 with *ret unchanged if it is NULL. */
int store_take_text(sqlite3_stmt *st, int column, char **ret);

/* Executes a change in the open transaction; -ENOENT if `must_change` and no row matches. */
int store_change(Store *s, Statement which, bool must_change, const char *types, ...);
