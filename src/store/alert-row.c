/* SPDX-License-Identifier: Apache-2.0 */
/* Both keys begin with a time, so that new rows go to the end of their indexes: with random keys
 * each row would write a page of its own. The same alert has the same time, and the request id is a
 * UUID of version 7. Triggers maintain the totals, so that a start need not count a million
 * rows. */
#include "store/alert-row.h"

#include <stdio.h>
#include <sys/random.h>

#include "basic/time-util.h"
#include "store/statement.h"

#define ROW_OVERHEAD 400u /* approximate size of a row without its texts, indexes included */
#define USEC_PER_MS 1000u

static const char *const state_names[_ALERT_STATE_MAX] = {
    [ALERT_KEPT] = "kept",
    [ALERT_WAITING] = "waiting",
    [ALERT_ACKNOWLEDGED] = "acknowledged",
};

const char *alert_state_to_string(AlertState state) {
    return (unsigned)state < _ALERT_STATE_MAX ? state_names[state] : NULL;
}

/* RFC 9562, section 5.7 */
static int make_request_id(uint64_t now_ms, char ret[static ALERT_ID_SIZE]) {
    uint8_t b[16];

    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        return -EIO;
    for (unsigned i = 0; i < 6; i++)
        b[i] = (uint8_t)(now_ms >> (40 - 8 * i));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x70);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret, ALERT_ID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
    return 0;
}

int store_add_alert(Store *s, const Alert *alert, AlertState state) {
    uint64_t now_ms = now_usec(CLOCK_REALTIME) / USEC_PER_MS;
    size_t size = ROW_OVERHEAD + strlen(alert->subject) + strlen(alert->message) +
                  strlen(strempty(alert->user)) + strlen(strempty(alert->source_ip));
    char id[ALERT_ID_SIZE], key[SHA256_HEX_SIZE];

    alert_key(alert, key);
    TRY(make_request_id(now_ms, id));
    TRY(store_change(s, STATEMENT_ADD_ALERT, false, "ttilliittttll", id, key, (int)state,
                     alert->time_ms, now_ms, alert->level, alert->rule, alert->user,
                     alert->source_ip, alert->subject, alert->message, (uint64_t)size,
                     store_running_usec(s)));
    return sqlite3_changes(s->db) > 0;
}

int store_get_alert_state(Store *s, const char *request_id) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_query(s, STATEMENT_GET_ALERT_STATE, &st, "t", request_id);
    if (r >= 0)
        r = store_step(s, st);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    return sqlite3_column_int(st, 0);
}

int store_acknowledge_alert(Store *s, const char *request_id) {
    TRY(store_change(s, STATEMENT_ACKNOWLEDGE_ALERT, false, "tl", request_id,
                     store_running_usec(s)));
    return sqlite3_changes(s->db) > 0;
}

static int visit_rows(Store *s, sqlite3_stmt *st, StoreAlertVisitor visit, void *userdata) {
    int r;

    while ((r = store_step(s, st)) > 0) {
        const StoredAlert row = {
            .row = sqlite3_column_int64(st, 0),
            .request_id = (const char *)sqlite3_column_text(st, 1),
            .state = (AlertState)sqlite3_column_int(st, 2),
            .received_ms = (uint64_t)sqlite3_column_int64(st, 3),
            .alert =
                {
                    .time_ms = (uint64_t)sqlite3_column_int64(st, 4),
                    .level = sqlite3_column_int(st, 5),
                    .rule = sqlite3_column_int(st, 6),
                    .user = (const char *)sqlite3_column_text(st, 7),
                    .source_ip = (const char *)sqlite3_column_text(st, 8),
                    .subject = (const char *)sqlite3_column_text(st, 9),
                    .message = (const char *)sqlite3_column_text(st, 10),
                },
        };

        r = row.request_id && row.alert.subject && row.alert.message ? visit(&row, userdata)
                                                                     : -ENOMEM;
        if (r != 0)
            return MIN(r, 0);
    }
    return r;
}

int store_visit_waiting_alerts(Store *s, int64_t after, unsigned limit, StoreAlertVisitor visit,
                               void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;

    TRY(store_query(s, STATEMENT_LIST_WAITING_ALERTS, &st, "lu", after, limit));
    return visit_rows(s, st, visit, userdata);
}

int store_visit_alerts(Store *s, unsigned limit, StoreAlertVisitor visit, void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;

    TRY(store_query(s, STATEMENT_LIST_ALERTS, &st, "u", limit));
    return visit_rows(s, st, visit, userdata);
}

int store_sum_alerts(Store *s, AlertTotal ret[static _ALERT_STATE_MAX]) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    AlertTotal totals[_ALERT_STATE_MAX] = {};
    int r;

    r = store_query(s, STATEMENT_SUM_ALERTS, &st, "");
    while (r >= 0 && (r = store_step(s, st)) > 0) {
        int state = sqlite3_column_int(st, 0);

        if (state >= 0 && state < _ALERT_STATE_MAX)
            totals[state] = (AlertTotal){(uint64_t)sqlite3_column_int64(st, 1),
                                         (uint64_t)sqlite3_column_int64(st, 2)};
    }
    if (r < 0)
        return r;
    memcpy(ret, totals, sizeof(totals));
    return 0;
}

static int remove_until(Store *s, uint64_t until_usec, int64_t limit) {
    return store_change(s, STATEMENT_REMOVE_ALERTS, false, "ll", until_usec, limit);
}

int store_remove_alerts(Store *s, uint64_t n, uint64_t keep_usec) {
    uint64_t now = store_running_usec(s);
    int r;

    r = n > 0 ? remove_until(s, INT64_MAX, (int64_t)n) : 0;
    if (r >= 0 && now > keep_usec)
        r = remove_until(s, now - keep_usec, -1);
    return r;
}
