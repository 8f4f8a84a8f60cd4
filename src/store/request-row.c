/* SPDX-License-Identifier: Apache-2.0 */
/* Each change updates the counts by state; after a rollback, or a change of many rows, the next
 * query counts again. */
#include "store/request-row.h"

#include <stdio.h>

#include "basic/time-util.h"
#include "store/output-row.h"
#include "store/statement.h"

void stored_request_done(StoredRequest *r) {
    free(r->guid);
    free(r->agent_id);
    free(r->command);
    free(r->payload);
    free(r->reply);
    free(r->error_message);
    *r = (StoredRequest){};
}

int store_insert_request(Store *s, const StoredRequest *r) {
    int k;

    k = store_change(s, STATEMENT_INSERT, true, "tttttttll", r->guid, r->agent_id, r->command,
                     request_state_to_string(r->state), r->payload, r->payload_sha256,
                     r->error_message, r->accepted_usec, store_running_usec(s));
    if (k >= 0) {
        s->counts[r->state]++;
        s->has_payloads |= r->payload && !streq(r->payload, "{}");
    }
    return k;
}

static int count_change(Store *s, int r, RequestState from, RequestState to) {
    if (r >= 0) {
        s->counts[from]--;
        s->counts[to]++;
    }
    return r;
}

int store_set_reply(Store *s, const char *guid, const char *reply, int return_code) {
    int r = store_change(s, STATEMENT_SET_REPLY, true, "ttlli", guid, reply,
                         now_usec(CLOCK_REALTIME), store_running_usec(s), return_code);

    if (r >= 0 && s->has_payloads)
        store_note_remains(s);
    return count_change(s, r, REQUEST_STATE_ACKED, REQUEST_STATE_REPLY);
}

int store_set_state(Store *s, const char *guid, RequestState from, RequestState to) {
    int r =
        store_change(s, STATEMENT_SET_STATE, true, "tttll", guid, request_state_to_string(from),
                     request_state_to_string(to), now_usec(CLOCK_REALTIME), store_running_usec(s));

    return count_change(s, r, from, to);
}

static int read_row(sqlite3_stmt *st, StoredRequest *ret) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    const char *state, *hash;

    state = (const char *)sqlite3_column_text(st, 3);
    hash = (const char *)sqlite3_column_text(st, 4);
    row.state = request_state_from_string(strempty(state));
    if (row.state < 0)
        return -EUCLEAN;
    (void)snprintf(row.payload_sha256, sizeof(row.payload_sha256), "%s", strempty(hash));
    row.accepted_usec = (uint64_t)sqlite3_column_int64(st, 6);
    row.changed_usec = (uint64_t)sqlite3_column_int64(st, 7);
    TRY(store_take_text(st, 0, &row.guid));
    TRY(store_take_text(st, 1, &row.agent_id));
    TRY(store_take_text(st, 2, &row.command));
    TRY(store_take_text(st, 5, &row.error_message));
    row.replied_usec = (uint64_t)sqlite3_column_int64(st, 8);
    row.return_code = sqlite3_column_int(st, 9);
    TRY(store_take_text(st, 10, &row.payload));
    TRY(store_take_text(st, 11, &row.reply));
    if (!row.guid || !row.command)
        return -EUCLEAN;
    *ret = row;
    row = (StoredRequest){};
    return 0;
}

int store_load_request(Store *s, const char *guid, bool with_bodies, StoredRequest *ret) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_query(s, STATEMENT_LOAD, &st, "ti", guid, with_bodies);
    if (r >= 0)
        r = store_step(s, st);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    return read_row(st, ret);
}

static int visit_rows(Store *s, sqlite3_stmt *st, StoreVisitor visit, void *userdata) {
    int r;

    while ((r = store_step(s, st)) > 0) {
        _cleanup_(stored_request_done) StoredRequest row = {};

        r = read_row(st, &row);
        if (r >= 0)
            r = visit(&row, userdata);
        if (r < 0)
            return r;
    }
    return r;
}

int store_visit_open(Store *s, StoreVisitor visit, void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;

    TRY(store_query(s, STATEMENT_LIST_OPEN, &st, ""));
    return visit_rows(s, st, visit, userdata);
}

int store_visit_newest(Store *s, unsigned limit, StoreVisitor visit, void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;

    TRY(store_query(s, STATEMENT_LIST_NEWEST, &st, "u", limit));
    return visit_rows(s, st, visit, userdata);
}

static int count_all(Store *s) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_query(s, STATEMENT_COUNT, &st, "");
    if (r < 0)
        return r;
    memset(s->counts, 0, sizeof(s->counts));
    while ((r = store_step(s, st)) > 0) {
        const char *name = (const char *)sqlite3_column_text(st, 0);
        RequestState state = request_state_from_string(strempty(name));

        if (state >= 0)
            s->counts[state] = (unsigned)sqlite3_column_int(st, 1);
    }
    if (r < 0)
        return r;
    s->counted = true;
    return 0;
}

int store_count_requests(Store *s, unsigned ret_counts[static _REQUEST_STATE_MAX]) {
    int r = s->counted ? 0 : count_all(s);

    if (r >= 0)
        memcpy(ret_counts, s->counts, sizeof(s->counts));
    return r;
}

int store_drop_foreign_replies(Store *s, const char *agent_id) {
    s->counted = false;
    return store_change(s, STATEMENT_DROP_FOREIGN, false, "tll", agent_id, now_usec(CLOCK_REALTIME),
                        store_running_usec(s));
}

int store_visit_expired(Store *s, uint64_t older_than_usec, unsigned limit, unsigned skip,
                        int (*visit)(const char *guid, void *userdata), void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    uint64_t now = store_running_usec(s);
    int r;

    r = store_query(s, STATEMENT_LIST_EXPIRED, &st, "luu",
                    now > older_than_usec ? now - older_than_usec : 0, limit, skip);
    while (r >= 0 && (r = store_step(s, st)) > 0) {
        r = visit((const char *)sqlite3_column_text(st, 0), userdata);
        if (r < 0)
            return r;
    }
    return r;
}

int store_remove_request(Store *s, const char *guid) {
    int r;

    s->counted = false;
    r = store_change(s, STATEMENT_REMOVE, false, "t", guid);
    return r < 0 || sqlite3_changes(s->db) == 0 ? r : store_remove_output(s, guid);
}
