/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, console lines and alerts. */
#include "dcm-manager/ledger-request.h"

#include <stdio.h>

#include "basic/strv.h"
#include "dcm-manager/ledger-database.h"
#include "dcm-manager/limits.h"

#define TRIMS_AT_ONCE 4

void ledger_request_done(LedgerRequest *r) {
    free(r->agent);
    free(r->payload);
    free(r->reply);
    free(r->error);
    *r = (LedgerRequest){};
}

int ledger_add_request(Ledger *s, const char *guid, const char *agent, const char *payload) {
    char hash[SHA256_HEX_SIZE];
    int r;

    sha256_hex(payload, strlen(payload), hash);
    r = ledger_execute(s, STATEMENT_REQUEST_ADD, "tttti", guid, agent, payload, hash, ledger_now());
    s->counters.n_ordered += r > 0;
    return r;
}

int ledger_expire_requests(Ledger *s, int64_t kept, unsigned n) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    int64_t from = s->expired_to, found;

    TRY(ledger_query(s, STATEMENT_REQUEST_OLD, &q, "iii", from, kept, (int64_t)n));
    TRY(ledger_step(q));
    found = sqlite3_column_int64(q, 0);
    s->expired_to = found == n ? sqlite3_column_int64(q, 1) : 0;
    if (found == 0)
        return 0;
    TRY(ledger_execute(s, STATEMENT_REQUEST_EXPIRE, "ii", from, sqlite3_column_int64(q, 1)));
    return found == n;
}

int ledger_get_request(Ledger *s, const char *guid, LedgerRequest *ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    int r;

    r = ledger_query(s, STATEMENT_REQUEST_GET, &q, "t", guid);
    if (r >= 0)
        r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    TRY(ledger_column_dup(q, 0, &request.agent));
    TRY(ledger_column_dup(q, 1, &request.payload));
    TRY(ledger_column_dup(q, 3, &request.reply));
    TRY(ledger_column_dup(q, 4, &request.error));
    request.state = order_state_from_string(strempty((const char *)sqlite3_column_text(q, 2)));
    if (request.state < 0)
        return -EUCLEAN;
    (void)snprintf(request.payload_sha256, sizeof(request.payload_sha256), "%s",
                   strempty((const char *)sqlite3_column_text(q, 7)));
    request.created = sqlite3_column_int64(q, 5);
    request.updated = sqlite3_column_int64(q, 6);
    *ret = request;
    request = (LedgerRequest){};
    return 0;
}

int ledger_match_request(Ledger *s, const char *text, char **ret_guid) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_free_ char *guid = NULL;
    bool is_whole;
    int r;

    TRY(ledger_query(s, STATEMENT_REQUEST_MATCH, &q, "t", text));
    r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    is_whole = sqlite3_column_int(q, 1);
    TRY(ledger_column_dup(q, 0, &guid));
    r = ledger_step(q);
    if (r < 0)
        return r;
    if (r > 0 && !is_whole)
        return -ENOTUNIQ;
    *ret_guid = TAKE_PTR(guid);
    return 0;
}

bool ledger_request_is(const LedgerRequest *r, const char *payload) {
    char hash[SHA256_HEX_SIZE];

    sha256_hex(payload, strlen(payload), hash);
    return streq(hash, r->payload_sha256);
}

int ledger_set_request(Ledger *s, const char *guid, OrderState state, const char *reply,
                       const char *error) {
    int r;

    assert(state != ORDER_QUEUED);
    if (order_is_over(state)) {
        r = ledger_execute(s, STATEMENT_REQUEST_END, "tttti", guid, order_state_to_string(state),
                           reply, error, ledger_now());
        s->counters.n_replied += r > 0 && state == ORDER_REPLIED;
        s->counters.n_nacked += r > 0 && state == ORDER_NACKED;
        return r;
    }
    return ledger_execute(s, STATEMENT_REQUEST_NOTE, "tti", guid, order_state_to_string(state),
                          ledger_now());
}

int ledger_queue_request(Ledger *s, const char *guid, const char *payload) {
    return ledger_execute(s, STATEMENT_REQUEST_QUEUE, "tti", guid, payload, ledger_now());
}

int64_t ledger_count_open_requests(Ledger *s, const char *agent) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;

    TRY(ledger_query(s, STATEMENT_REQUEST_COUNT, &q, "t", agent));
    TRY(ledger_step(q));
    return sqlite3_column_int64(q, 0);
}

int64_t ledger_count_requests(Ledger *s, bool acked) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;

    TRY(ledger_query(s, acked ? STATEMENT_REQUEST_COUNT_ACKED : STATEMENT_REQUEST_COUNT_OPEN, &q,
                     "i", REQUESTS_COUNTED_MAX));
    TRY(ledger_step(q));
    return sqlite3_column_int64(q, 0);
}

static int append_guid(char ***list, size_t *n, sqlite3_stmt *q) {
    char *guid = NULL;
    int r = ledger_column_dup(q, 0, &guid);

    return r < 0 ? r : strv_push(list, n, guid);
}

static int list_guids(Ledger *s, Statement statement, const char *agent, char ***ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    char **list = calloc(1, sizeof(*list));
    size_t n = 0;
    int r;

    if (!list)
        return -ENOMEM;
    r = ledger_query(s, statement, &q, "t", agent);
    while (r >= 0 && (r = ledger_step(q)) > 0)
        r = append_guid(&list, &n, q);
    if (r < 0) {
        strv_free(list);
        return r;
    }
    *ret = list;
    return 0;
}

int ledger_list_open_requests(Ledger *s, const char *agent, char ***ret) {
    return list_guids(s, STATEMENT_REQUEST_OPEN, agent, ret);
}

int ledger_list_acked_requests(Ledger *s, const char *agent, char ***ret) {
    return list_guids(s, STATEMENT_REQUEST_ACKED, agent, ret);
}

static int append_row(struct json_object *list, struct json_object **ret) {
    struct json_object *o = json_object_new_object();

    if (!o || json_object_array_add(list, o) < 0) {
        (void)json_object_put(o);
        return -ENOMEM;
    }
    *ret = o;
    return 0;
}

int ledger_add_log(Ledger *s, const char *agent, const char *level, const char *message,
                   int64_t *ret_time) {
    int64_t now = ledger_now();

    TRY(ledger_execute(s, STATEMENT_LOG_ADD, "titt", agent, now, level, message));
    *ret_time = now;
    return 0;
}

/* selects newest rows first; callers want them last */
static int reverse(struct json_object *list, struct json_object **ret) {
    struct json_object *reversed = json_object_new_array();

    if (!reversed)
        return -ENOMEM;
    for (size_t i = json_object_array_length(list); i > 0; i--)
        if (json_object_array_add(reversed,
                                  json_object_get(json_object_array_get_idx(list, i - 1))) < 0) {
            (void)json_object_put(reversed);
            return -ENOMEM;
        }
    *ret = reversed;
    return 0;
}

typedef int (*RowWriter)(struct json_object *o, sqlite3_stmt *q);

/* As far as the texts fit in an answer, but one row in any case. */
static int list_newest(Ledger *s, Statement all, Statement of, const char *agent, LedgerPage *page,
                       RowWriter write, struct json_object **ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    _cleanup_json_ struct json_object *list = json_object_new_array();
    int64_t size = 0, last = 0;
    struct json_object *o;
    unsigned n = 0;
    int r, i;

    if (!list)
        return -ENOMEM;
    TRY(ledger_query(s, agent ? of : all, &q, "iti", (int64_t)page->n, agent,
                     page->before > 0 ? page->before : INT64_MAX));
    i = sqlite3_column_count(q) - 2;
    for (r = 1; size < CONTROL_LOG_SIZE_MAX && (r = ledger_step(q)) > 0; n++) {
        last = sqlite3_column_int64(q, i);
        size += sqlite3_column_int64(q, i + 1);
        TRY(append_row(list, &o));
        TRY(write(o, q));
    }
    page->next = n == page->n || size >= CONTROL_LOG_SIZE_MAX ? last : 0;
    return r < 0 ? r : reverse(list, ret);
}

static int write_request(struct json_object *o, sqlite3_stmt *q) {
    TRY(ledger_add_text(o, "guid", q, 0));
    TRY(ledger_add_text(o, "agent", q, 1));
    TRY(ledger_add_text(o, "command", q, 2));
    TRY(ledger_add_text(o, "state", q, 3));
    TRY(ledger_add_int(o, "created", q, 4));
    TRY(ledger_add_int(o, "updated", q, 5));
    return ledger_add_int(o, "return_code", q, 6);
}

int ledger_list_requests(Ledger *s, const char *agent, LedgerPage *page, struct json_object **ret) {
    return list_newest(s, STATEMENT_REQUEST_LIST, STATEMENT_REQUEST_LIST_OF, agent, page,
                       write_request, ret);
}

static int write_log_line(struct json_object *o, sqlite3_stmt *q) {
    TRY(ledger_add_text(o, "agent", q, 0));
    TRY(ledger_add_int(o, "time", q, 1));
    TRY(ledger_add_text(o, "level", q, 2));
    return ledger_add_text(o, "message", q, 3);
}

int ledger_list_log(Ledger *s, const char *agent, LedgerPage *page, struct json_object **ret) {
    return list_newest(s, STATEMENT_LOG_LIST, STATEMENT_LOG_LIST_OF, agent, page, write_log_line,
                       ret);
}

static int write_alert(struct json_object *o, sqlite3_stmt *q) {
    TRY(ledger_add_text(o, "agent", q, 0));
    TRY(ledger_add_int(o, "received", q, 1));
    return ledger_add_parsed(o, "alert", q, 2);
}

int ledger_list_alerts(Ledger *s, const char *agent, LedgerPage *page, struct json_object **ret) {
    return list_newest(s, STATEMENT_ALERT_LIST, STATEMENT_ALERT_LIST_OF, agent, page, write_alert,
                       ret);
}

int ledger_add_alert(Ledger *s, const char *agent, const char *id, const char *json) {
    return MIN(ledger_execute(s, STATEMENT_ALERT_ADD, "ttit", agent, id, ledger_now(), json), 0);
}

static int trim_agent(Ledger *s, const char *agent, unsigned lines, size_t lines_size,
                      unsigned alerts, size_t alerts_size) {
    int r;

    r = ledger_execute(s, STATEMENT_LOG_TRIM, "tii", agent, (int64_t)lines, (int64_t)lines_size);
    if (r >= 0)
        r = ledger_execute(s, STATEMENT_ALERT_TRIM, "tii", agent, (int64_t)alerts,
                           (int64_t)alerts_size);
    return MIN(r, 0);
}

static int get_kept(Ledger *s, Statement statement, int column, int64_t *ret_size, char **ret) {
    _cleanup_(statement_resetp) sqlite3_stmt *q = NULL;
    int r;

    r = ledger_query(s, statement, &q, "");
    if (r >= 0)
        r = ledger_step(q);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    *ret_size = sqlite3_column_int64(q, column);
    return ret ? ledger_column_dup(q, 0, ret) : 0;
}

/* Removes data of the agent with the most, so that agents with little data keep theirs. */
static int trim_greediest(Ledger *s) {
    _cleanup_free_ char *agent = NULL;
    int64_t size;

    TRY(get_kept(s, STATEMENT_KEPT_MOST, 1, &size, &agent));
    return trim_agent(s, agent, LOG_LINES_MAX, (size_t)size / 4, ALERTS_MAX, (size_t)size / 4);
}

int ledger_trim(Ledger *s, const char *agent, int64_t size_max) {
    int64_t size;
    int r;

    r = trim_agent(s, agent, LOG_LINES_MAX, LOG_SIZE_MAX, ALERTS_MAX, ALERTS_SIZE_MAX);
    for (int i = 0; r >= 0 && i < TRIMS_AT_ONCE; i++) {
        r = get_kept(s, STATEMENT_KEPT_ALL, 0, &size, NULL);
        if (r < 0 || size <= size_max)
            break;
        r = trim_greediest(s);
    }
    return r;
}
