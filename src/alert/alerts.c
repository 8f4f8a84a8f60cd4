/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   alerts_add() ─▶ store ─▶ fill() ─▶ window ── ALERT ──▶ manager
 *                     ▲                │ ▲ └─ resend timer      │
 *                     └── commit ◀─────┘ └───── ALERT_ACK ──────┘
 *
 * The window has the rows that were sent on this connection and are not acknowledged; their texts
 * are in the store alone. `last_row` is the last row sent on it; reading the store continues behind
 * it. An acknowledged row leaves the window at once, and its acknowledgement is stored together
 * with the others of the same wake-up; until then the row still has the state WAITING in the
 * store. */
#include "alert/alerts.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"

#define RETRY_USEC (5 * USEC_PER_SEC)   /* after an error of the store */
#define CONGESTED_USEC USEC_PER_SEC     /* then there may be room to send */
#define TIDY_USEC (3600 * USEC_PER_SEC) /* between two removals of old alerts */
#define TIDY_SLACK_USEC (600 * USEC_PER_SEC)
#define NEVER UINT64_MAX

typedef struct Sent {
    int64_t row;
    uint64_t due_usec; /* time of the resend; CLOCK_BOOTTIME */
    char request_id[ALERT_ID_SIZE];
} Sent;

struct Alerts {
    Store *store;
    AlertsCallbacks callbacks;
    void *userdata;
    AlertsRoomCallback on_room;
    void *room_userdata;
    sd_event_source *soon;  /* after all pending events: store(), fill() */
    sd_event_source *timer; /* for resends and retries */
    sd_event_source *tidy;
    uint64_t resend_usec;
    uint64_t retry_usec; /* CLOCK_BOOTTIME; NEVER */
    bool is_open, is_full, is_failing, is_ack_failing, is_read_failing;
    int64_t last_row, resending;
    Sent window[ALERTS_IN_FLIGHT_MAX];
    size_t n;
    char acknowledged[ALERTS_IN_FLIGHT_MAX][ALERT_ID_SIZE]; /* not stored yet */
    size_t n_acknowledged;
};

static void wake(Alerts *a) {
    (void)sd_event_source_set_enabled(a->soon, SD_EVENT_ONESHOT);
}

static void arm(Alerts *a) {
    uint64_t due = a->retry_usec;

    for (size_t i = 0; i < a->n && a->is_open; i++)
        due = MIN(due, a->window[i].due_usec);
    (void)timer_arm(a->timer, due);
}

static void retry_in(Alerts *a, uint64_t usec) {
    a->retry_usec = MIN(a->retry_usec, now_usec(CLOCK_BOOTTIME) + usec);
}

/* Logs each kind of failure separately: a small change may succeed while a large one fails. */
static void note(bool *failing, int r, const char *what) {
    if (r < 0 && !*failing)
        (void)log_struct(LOG_ERR, r, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STORE_FAILED)),
                         "%s cannot be stored: %m; retrying", what);
    else if (r >= 0 && *failing)
        log_notice("%s can be stored again", what);
    *failing = r < 0;
}

static void note_read_error(Alerts *a, int error) {
    if (!a->is_read_failing)
        (void)log_struct(LOG_ERR, error, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STORE_FAILED)),
                         "Alerts cannot be read: %m; retrying");
    a->is_read_failing = true;
}

static bool is_acknowledged(const Alerts *a, const char *request_id) {
    for (size_t i = 0; i < a->n_acknowledged; i++)
        if (streq(a->acknowledged[i], request_id))
            return true;
    return false;
}

static int send_row(Alerts *a, const StoredAlert *row) {
    _cleanup_json_ struct json_object *message = NULL;

    TRY(alert_to_message(&row->alert, row->request_id, row->received_ms, &message));
    return a->callbacks.send(message, a->userdata);
}

/* 1: stop, no more can be sent now */
static int send_new(const StoredAlert *row, void *userdata) {
    Alerts *a = userdata;
    Sent *sent = &a->window[a->n];

    if (!a->is_open || a->callbacks.is_congested(a->userdata)) {
        retry_in(a, CONGESTED_USEC);
        return 1;
    }
    a->last_row = row->row;
    if (is_acknowledged(a, row->request_id))
        return 0;
    *sent = (Sent){.row = row->row, .due_usec = now_usec(CLOCK_BOOTTIME) + a->resend_usec};
    (void)snprintf(sent->request_id, sizeof(sent->request_id), "%s", row->request_id);
    a->n++;
    (void)send_row(a, row); /* a failed send is repeated by the timer */
    return 0;
}

/* Visits the row after it, if this one does not wait any more. */
static int send_again(const StoredAlert *row, void *userdata) {
    Alerts *a = userdata;

    if (row->row == a->resending)
        (void)send_row(a, row);
    return 1;
}

/* Each acknowledgement that waits for its commit keeps its place in the window. */
static void fill(Alerts *a) {
    size_t room = ALERTS_IN_FLIGHT_MAX - a->n - a->n_acknowledged;
    int r;

    if (!a->is_open || room == 0)
        return;
    r = store_visit_waiting_alerts(a->store, a->last_row, (unsigned)room, send_new, a);
    if (r < 0) {
        note_read_error(a, r);
        retry_in(a, RETRY_USEC);
    } else
        a->is_read_failing = false;
}

/* Arms the timer only while there are alerts that can expire. */
static void arm_tidy(Alerts *a, uint64_t n) {
    if (n > 0 && !timer_is_armed(a->tidy))
        (void)timer_arm_in(a->tidy, TIDY_USEC);
}

/* Never removes waiting alerts. */
static int remove_old(Alerts *a) {
    AlertTotal totals[_ALERT_STATE_MAX];
    uint64_t n, bytes, excess = 0;

    TRY(store_sum_alerts(a->store, totals));
    n = totals[ALERT_KEPT].n + totals[ALERT_ACKNOWLEDGED].n;
    bytes = totals[ALERT_KEPT].bytes + totals[ALERT_ACKNOWLEDGED].bytes;
    arm_tidy(a, n);
    if (n > ALERTS_KEPT_MAX)
        excess = n - ALERTS_KEPT_MAX;
    if (bytes > ALERTS_KEPT_SIZE_MAX) /* approximate; the next commit continues */
        excess = MAX(excess, n / 16 + 1);
    return store_remove_alerts(a->store, excess, ALERTS_KEPT_USEC_MAX);
}

static int begin(Alerts *a) {
    (void)a->callbacks.commit(a->userdata); /* reports errors to the transaction's owner */
    return store_begin(a->store);
}

static int end(Alerts *a, int r) {
    if (r >= 0)
        r = remove_old(a);
    return store_finish(a->store, r);
}

static bool is_full(Alerts *a, size_t more) {
    AlertTotal totals[_ALERT_STATE_MAX];

    return store_sum_alerts(a->store, totals) >= 0 &&
           (totals[ALERT_WAITING].n + more > ALERTS_WAITING_MAX ||
            totals[ALERT_WAITING].bytes > ALERTS_WAITING_SIZE_MAX);
}

static void tell_room(Alerts *a) {
    if (!a->is_full || is_full(a, ALERTS_WAITING_MAX / 100))
        return;
    a->is_full = false;
    log_notice("The queue of alerts has room again; new alerts are accepted");
    if (a->on_room)
        a->on_room(a->room_userdata);
}

static int store_acknowledgements(Alerts *a) {
    int r;

    if (a->n_acknowledged == 0)
        return 0;
    r = begin(a);
    if (r < 0)
        return r;
    for (size_t i = 0; i < a->n_acknowledged && r >= 0; i++)
        r = store_acknowledge_alert(a->store, a->acknowledged[i]);
    r = end(a, r);
    if (r >= 0)
        a->n_acknowledged = 0;
    return r;
}

static int on_soon(sd_event_source *source, void *userdata) {
    Alerts *a = userdata;
    int r = 0;

    if (a->n_acknowledged > 0) {
        r = store_acknowledgements(a);
        note(&a->is_ack_failing, r, "Acknowledgements of alerts");
    }
    if (r < 0)
        retry_in(a, RETRY_USEC);
    else
        tell_room(a);
    fill(a);
    arm(a);
    return 0;
}

static void resend(Alerts *a, uint64_t now) {
    for (size_t i = 0; i < a->n && a->is_open; i++) {
        Sent *sent = &a->window[i];

        if (sent->due_usec > now)
            continue;
        sent->due_usec = now + a->resend_usec;
        a->resending = sent->row;
        if (!a->callbacks.is_congested(a->userdata))
            (void)store_visit_waiting_alerts(a->store, sent->row - 1, 1, send_again, a);
    }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Alerts *a = userdata;

    a->retry_usec = NEVER;
    resend(a, now_usec(CLOCK_BOOTTIME));
    return on_soon(a->soon, a);
}

static int on_tidy(sd_event_source *source, uint64_t usec, void *userdata) {
    Alerts *a = userdata;
    int r;

    r = begin(a);
    if (r >= 0)
        r = end(a, 0);
    if (r < 0) {
        (void)log_debug_errno(r, "Old alerts could not be removed: %m");
        arm_tidy(a, 1);
    }
    return 0;
}

static void say_full(Alerts *a) {
    if (!a->is_full)
        (void)log_struct(LOG_ERR, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERTS_FULL)),
                         "The queue of alerts is full: the manager does not acknowledge them; new "
                         "alerts are not accepted until it does");
    a->is_full = true;
}

int alerts_add(Alerts *a, const Alert *list, size_t n, int threshold, const char *key,
               const char *value) {
    size_t n_sent = 0;
    int r, n_new = 0;

    for (size_t i = 0; i < n; i++)
        n_sent += list[i].level >= threshold;
    if (n_sent > 0 && (a->is_full || is_full(a, n_sent))) {
        say_full(a);
        return -EDQUOT;
    }
    r = begin(a);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && r >= 0; i++) {
        r = store_add_alert(a->store, &list[i],
                            list[i].level >= threshold ? ALERT_WAITING : ALERT_KEPT);
        n_new += r > 0;
    }
    if (r >= 0 && key)
        r = store_set_meta(a->store, key, value);
    r = end(a, r);
    note(&a->is_failing, r, "Alerts");
    if (r < 0)
        return r;
    if (n_sent > 0)
        wake(a);
    return n_new;
}

int alerts_get_fact(Alerts *a, const char *key, char **ret) {
    return store_get_meta(a->store, key, ret);
}

void alerts_opened(Alerts *a) {
    a->is_open = true;
    a->n = 0;
    a->last_row = 0;
    wake(a);
}

void alerts_closed(Alerts *a) {
    a->is_open = false;
    a->n = 0;
    arm(a);
}

bool alerts_has(Alerts *a, const char *request_id) {
    return store_get_alert_state(a->store, request_id) >= 0;
}

/* -ENOENT: it was not sent on this connection. */
static int leave_window(Alerts *a, const char *request_id) {
    for (size_t i = 0; i < a->n; i++)
        if (streq(a->window[i].request_id, request_id)) {
            a->window[i] = a->window[--a->n];
            return 0;
        }
    return -ENOENT;
}

void alerts_acknowledge(Alerts *a, const char *request_id) {
    int r;

    if (is_acknowledged(a, request_id))
        return;
    r = leave_window(a, request_id);
    if (r < 0) /* sent on an earlier connection, or acknowledged twice */
        r = store_get_alert_state(a->store, request_id);
    if (r < 0) {
        (void)log_struct(LOG_DEBUG, 0, LOG_FIELDS(LOG_REQUEST(request_id)),
                         "ALERT_ACK of an unknown alert is ignored");
        return;
    }
    if (r == ALERT_ACKNOWLEDGED || a->n + a->n_acknowledged >= ALERTS_IN_FLIGHT_MAX)
        return;
    (void)snprintf(a->acknowledged[a->n_acknowledged++], ALERT_ID_SIZE, "%s", request_id);
    wake(a);
}

void alerts_configure(Alerts *a, uint64_t resend_usec) {
    a->resend_usec = resend_usec;
}

void alerts_set_on_room(Alerts *a, AlertsRoomCallback on_room, void *userdata) {
    a->on_room = on_room;
    a->room_userdata = userdata;
}

int alerts_new(sd_event *event, Store *store, const AlertsCallbacks *callbacks, void *userdata,
               Alerts **ret) {
    _cleanup_(alerts_freep) Alerts *a = calloc(1, sizeof(*a));

    if (!a)
        return -ENOMEM;
    a->store = store;
    a->callbacks = *callbacks;
    a->userdata = userdata;
    a->retry_usec = NEVER;
    a->resend_usec = RETRY_USEC;
    TRY(sd_event_add_defer(event, &a->soon, on_soon, a));
    TRY(sd_event_source_set_enabled(a->soon, SD_EVENT_OFF));
    TRY(timer_new(event, 1, on_timer, a, &a->timer));
    TRY(timer_new(event, TIDY_SLACK_USEC, on_tidy, a, &a->tidy));
    arm_tidy(a, 1); /* its first expiry checks whether there are old alerts */
    *ret = TAKE_PTR(a);
    return 0;
}

/* The next process sends alerts again whose acknowledgement is not stored. */
Alerts *alerts_free(Alerts *a) {
    if (!a)
        return NULL;
    if (store_acknowledgements(a) < 0)
        log_debug("Acknowledgements of alerts could not be stored");
    sd_event_source_disable_unref(a->soon);
    sd_event_source_disable_unref(a->timer);
    sd_event_source_disable_unref(a->tidy);
    free(a);
    return NULL;
}
