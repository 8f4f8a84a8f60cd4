/* SPDX-License-Identifier: Apache-2.0 */
/* The former database has time and subject of an alert, not the place in the file by which ours
 * recognises it. */
#include "dcm-migrate/alerts.h"

#include <stdio.h>

#include "alert/log.h"
#include "basic/array.h"
#include "basic/bounds.h"
#include "store/alert-row.h"

#define ALERTS_MAX 10000000u

typedef struct Told {
    uint64_t time_ms;
    char *subject;
} Told;

typedef struct Taking {
    Store *store;
    Told *told;
    size_t n, allocated;
    unsigned n_new;
} Taking;

static void taking_done(Taking *t) {
    for (size_t i = 0; i < t->n; i++)
        free(t->told[i].subject);
    free(t->told);
}

static int on_alert(const FormerAlert *row, void *userdata) {
    Taking *t = userdata;
    char *subject;

    TRY(array_reserve(&t->told, &t->allocated, t->n + 1, ALERTS_MAX));
    subject = strdup(row->subject);
    if (!subject)
        return -ENOMEM;
    t->told[t->n++] = (Told){row->time_ms, subject};
    return 0;
}

static int compare(const void *a, const void *b) {
    const Told *x = a, *y = b;

    return x->time_ms < y->time_ms ? -1 : x->time_ms > y->time_ms;
}

/* The former agent's time is a rounded floating point number. */
static bool is_told(const Taking *t, const Alert *alert) {
    size_t low = 0, high = t->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->told[middle].time_ms + 1 < alert->time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < t->n && t->told[low].time_ms <= alert->time_ms + 1; low++)
        if (streq(t->told[low].subject, alert->subject))
            return true;
    return false;
}

static int take_piece(Taking *t, const char *buf, size_t size, bool in_line, bool is_last,
                      size_t *ret_size) {
    LoggedAlert logged = {};
    int r = alert_log_take(buf, size, in_line, is_last, ret_size, &logged);

    if (r > 0 && is_told(t, &logged.alert)) {
        r = store_add_alert(t->store, &logged.alert, ALERT_ACKNOWLEDGED);
        t->n_new += r > 0;
    }
    logged_alert_done(&logged);
    return r == -EBADMSG ? 0 : MIN(r, 0);
}

/* *ret_size: of the bytes before the first alert that may go on. */
static int take_pieces(Taking *t, const char *buf, size_t size, bool is_last, bool *in_line,
                       size_t *ret_size) {
    size_t done = 0, used;

    while (done < size) {
        TRY(take_piece(t, buf + done, size - done, *in_line, is_last, &used));
        if (used == 0)
            break;
        done += used;
        *in_line = !alert_log_ends_line(buf[done - 1]);
    }
    *ret_size = done;
    return 0;
}

static int read_log(Taking *t, FILE *f) {
    _cleanup_free_ char *buf = malloc(2 * (size_t)ALERT_PIECE_MAX);
    size_t size = 0, done;
    bool in_line = false;

    if (!buf)
        return -ENOMEM;
    do {
        size += fread(buf + size, 1, 2 * (size_t)ALERT_PIECE_MAX - size, f);
        if (ferror(f))
            return -EIO;
        TRY(take_pieces(t, buf, size, feof(f), &in_line, &done));
        memmove(buf, buf + done, size - done);
        size -= done;
    } while (!feof(f));
    return 0;
}

int alerts_take(Former *former, Store *store) {
    _cleanup_(taking_done) Taking t = {.store = store};

    TRY(former_visit_alerts(former, on_alert, &t));
    if (t.n == 0)
        return 0;
    qsort(t.told, t.n, sizeof(*t.told), compare);
    TRY(read_log(&t, stdin));
    (void)printf("alerts: %u of the alert file were told to the manager before\n", t.n_new);
    return 0;
}
