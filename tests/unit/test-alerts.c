/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that an alert is sent when it is stored, and again until it is acknowledged, never after
 * that; that the same one is taken once; that few are under way at a time; and what is kept. */
#include "alert/alerts.h"
#include "basic/bounds.h"
#include "store-fixture.h"
#include "store/repair.h"
#include "store/statement.h"

#define TIMEOUT_USEC (20 * USEC_PER_SEC)
#define THRESHOLD 10

typedef struct Bench {
    Fixture f;
    sd_event *event;
    Alerts *alerts;
    GPtrArray *sent; /* texts, since the last clear() */
    bool congested;
    unsigned n_room;
    int send_result;
} Bench;

static int commit(void *userdata) {
    return 0;
}

static int send_message(struct json_object *message, void *userdata) {
    Bench *b = userdata;

    if (b->send_result >= 0)
        g_ptr_array_add(b->sent, g_strdup(json_to_text(message, NULL)));
    return b->send_result;
}

static bool is_congested(void *userdata) {
    return ((Bench *)userdata)->congested;
}

static void on_room(void *userdata) {
    ((Bench *)userdata)->n_room++;
}

static void start(Bench *b) {
    static const AlertsCallbacks callbacks = {
        .commit = commit, .send = send_message, .is_congested = is_congested};

    g_assert_cmpint(alerts_new(b->event, b->f.store, &callbacks, b, &b->alerts), ==, 0);
    alerts_configure(b->alerts, 3600 * USEC_PER_SEC);
    alerts_set_on_room(b->alerts, on_room, b);
}

static void set_up(Bench *b, gconstpointer unused) {
    fixture_init(&b->f);
    b->sent = g_ptr_array_new_with_free_func(g_free);
    g_assert_cmpint(sd_event_new(&b->event), ==, 0);
    start(b);
}

static void tear_down(Bench *b, gconstpointer unused) {
    alerts_free(b->alerts);
    sd_event_unref(b->event);
    g_ptr_array_unref(b->sent);
    fixture_done(&b->f);
}

/* Without the good-bye that stores what was acknowledged: as after SIGKILL. */
static void run_pending(Bench *b) {
    while (sd_event_run(b->event, 0) > 0)
        ;
}

static void restart(Bench *b) {
    b->alerts = alerts_free(b->alerts);
    reopen(&b->f);
    g_ptr_array_set_size(b->sent, 0);
    start(b);
}

static void wait_sent(Bench *b, unsigned n) {
    while (b->sent->len < n)
        g_assert_cmpint(sd_event_run(b->event, TIMEOUT_USEC), >, 0);
}

static int add(Bench *b, uint64_t time_ms, int level) {
    g_autofree char *message = g_strdup_printf("message %" G_GUINT64_FORMAT "\n", time_ms);
    const Alert alert = {.time_ms = time_ms, .level = level, .subject = "s", .message = message};

    return alerts_add(b->alerts, &alert, 1, THRESHOLD, NULL, NULL);
}

static struct json_object *parse(Bench *b, unsigned i) {
    struct json_object *m = NULL;
    const char *text = g_ptr_array_index(b->sent, i);

    g_assert_cmpint(json_parse(text, strlen(text), &m), ==, 0);
    return m;
}

static int64_t time_of(Bench *b, unsigned i) {
    _cleanup_json_ struct json_object *m = parse(b, i);

    return json_object_get_int64(json_get(m, "alert_timestamp"));
}

static char *id_of(Bench *b, unsigned i) {
    _cleanup_json_ struct json_object *m = parse(b, i);

    return g_strdup(json_get_string(m, "request_id"));
}

static void acknowledge(Bench *b, unsigned i) {
    g_autofree char *id = id_of(b, i);

    alerts_acknowledge(b->alerts, id);
}

static void assert_totals(Bench *b, uint64_t kept, uint64_t waiting, uint64_t acknowledged) {
    AlertTotal totals[_ALERT_STATE_MAX];

    g_assert_cmpint(store_sum_alerts(b->f.store, totals), ==, 0);
    g_assert_cmpuint(totals[ALERT_KEPT].n, ==, kept);
    g_assert_cmpuint(totals[ALERT_WAITING].n, ==, waiting);
    g_assert_cmpuint(totals[ALERT_ACKNOWLEDGED].n, ==, acknowledged);
}

static void test_once(Bench *b, gconstpointer unused) {
    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1000, THRESHOLD), ==, 1);
    assert_totals(b, 0, 1, 0); /* before it is sent */
    g_assert_cmpuint(b->sent->len, ==, 0);
    wait_sent(b, 1);
    g_assert_cmpint(time_of(b, 0), ==, 1000);
    acknowledge(b, 0);
    acknowledge(b, 0);
    run_pending(b);
    assert_totals(b, 0, 0, 1);
    alerts_closed(b->alerts);
    alerts_opened(b->alerts);
    run_pending(b);
    g_assert_cmpuint(b->sent->len, ==, 1);
    restart(b);
    alerts_opened(b->alerts);
    run_pending(b);
    g_assert_cmpuint(b->sent->len, ==, 0);
}

static void test_again(Bench *b, gconstpointer unused) {
    g_autofree char *first = NULL;

    alerts_configure(b->alerts, 10 * USEC_PER_MSEC);
    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1000, THRESHOLD), ==, 1);
    wait_sent(b, 4);
    for (unsigned i = 1; i < 4; i++)
        g_assert_cmpstr(g_ptr_array_index(b->sent, i), ==, g_ptr_array_index(b->sent, 0));
    first = g_strdup(g_ptr_array_index(b->sent, 0));
    alerts_closed(b->alerts);
    run_pending(b);
    restart(b);
    alerts_opened(b->alerts);
    wait_sent(b, 1);
    g_assert_cmpstr(g_ptr_array_index(b->sent, 0), ==, first); /* under the same request_id */
}

/* The manager's answer to what an earlier connection, or an earlier process, has sent. */
static void test_late_acknowledgement(Bench *b, gconstpointer unused) {
    g_autofree char *id = NULL;

    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1000, THRESHOLD), ==, 1);
    wait_sent(b, 1);
    id = id_of(b, 0);
    restart(b);
    alerts_opened(b->alerts);
    alerts_acknowledge(b->alerts, id); /* before it is sent again */
    run_pending(b);
    g_assert_cmpuint(b->sent->len, ==, 0);
    assert_totals(b, 0, 0, 1);
    g_assert_true(alerts_has(b->alerts, id));
    g_assert_false(alerts_has(b->alerts, "unknown"));
    alerts_acknowledge(b->alerts, "unknown");
    alerts_acknowledge(b->alerts, "");
    run_pending(b);
    assert_totals(b, 0, 0, 1);
}

static void test_same(Bench *b, gconstpointer unused) {
    const Alert twice[] = {{.time_ms = 7, .level = 12, .subject = "a", .message = "b"},
                           {.time_ms = 7, .level = 3, .rule = 9, .subject = "a", .message = "b"},
                           {.time_ms = 8, .level = 12, .subject = "a", .message = "b"}};

    g_assert_cmpint(alerts_add(b->alerts, twice, 3, THRESHOLD, NULL, NULL), ==, 2);
    restart(b);
    g_assert_cmpint(alerts_add(b->alerts, twice, 3, THRESHOLD, NULL, NULL), ==, 0);
    alerts_opened(b->alerts);
    wait_sent(b, 2);
    acknowledge(b, 0);
    acknowledge(b, 1);
    restart(b);
    g_assert_cmpint(alerts_add(b->alerts, twice, 3, THRESHOLD, NULL, NULL), ==, 0);
    assert_totals(b, 0, 0, 2);
}

static void test_threshold(Bench *b, gconstpointer unused) {
    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1, THRESHOLD - 1), ==, 1);
    g_assert_cmpint(add(b, 2, THRESHOLD), ==, 1);
    wait_sent(b, 1);
    run_pending(b);
    g_assert_cmpuint(b->sent->len, ==, 1);
    g_assert_cmpint(time_of(b, 0), ==, 2);
    assert_totals(b, 1, 1, 0);
}

/* A thousand of them: in their order, never more than the window at a time. */
static void test_window(Bench *b, gconstpointer unused) {
    const unsigned n = 1000;
    unsigned acknowledged = 0;

    for (unsigned i = 0; i < n; i++)
        g_assert_cmpint(add(b, 1000 + i, THRESHOLD), ==, 1);
    run_pending(b);
    g_assert_cmpuint(b->sent->len, ==, 0);
    alerts_opened(b->alerts);
    while (acknowledged < n) {
        wait_sent(b, acknowledged + 1);
        g_assert_cmpuint(b->sent->len - acknowledged, <=, ALERTS_IN_FLIGHT_MAX);
        for (unsigned i = acknowledged, end = b->sent->len; i < end; i++) {
            g_assert_cmpint(time_of(b, i), ==, 1000 + i);
            acknowledge(b, i);
            acknowledged++;
        }
    }
    run_pending(b);
    g_assert_cmpuint(b->sent->len, ==, n);
    assert_totals(b, 0, 0, n);
}

static void test_congested(Bench *b, gconstpointer unused) {
    b->congested = true;
    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1, THRESHOLD), ==, 1);
    run_pending(b);
    g_assert_cmpuint(b->sent->len, ==, 0);
    b->congested = false;
    wait_sent(b, 1);
}

/* Something else goes wrong with one: it is sent again like one that was lost. */
static void test_send_fails(Bench *b, gconstpointer unused) {
    alerts_configure(b->alerts, 10 * USEC_PER_MSEC);
    b->send_result = -ENOBUFS;
    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1, THRESHOLD), ==, 1);
    run_pending(b);
    b->send_result = 0;
    wait_sent(b, 1);
}

/* The fact and the alerts are stored together, or neither is. */
static void test_fact(Bench *b, gconstpointer unused) {
    const Alert alert = {.time_ms = 7, .level = 12, .subject = "a", .message = "b"};
    g_autofree char *fact = NULL;

    g_assert_cmpint(alerts_get_fact(b->alerts, "k", &fact), ==, 0);
    g_assert_null(fact);
    g_assert_cmpint(alerts_add(b->alerts, &alert, 1, THRESHOLD, "k", "v"), ==, 1);
    g_assert_cmpint(alerts_add(b->alerts, NULL, 0, THRESHOLD, "k", "w"), ==, 0);
    restart(b);
    g_assert_cmpint(alerts_get_fact(b->alerts, "k", &fact), ==, 0);
    g_assert_cmpstr(fact, ==, "w");
    g_assert_cmpint(store_begin(b->f.store), ==, 0); /* somebody else's, which commit() left open */
    g_assert_cmpint(alerts_add(b->alerts, &alert, 1, THRESHOLD, "k", "x"), <, 0);
    store_rollback(b->f.store);
    g_clear_pointer(&fact, g_free);
    g_assert_cmpint(alerts_get_fact(b->alerts, "k", &fact), ==, 0);
    g_assert_cmpstr(fact, ==, "w");
}

static void change_total(Store *s, AlertState state, uint64_t n) {
    g_autofree char *sql = g_strdup_printf(
        "UPDATE alert_totals SET n = %" G_GUINT64_FORMAT " WHERE state = %d", n, (int)state);

    g_assert_cmpint(sqlite3_exec(s->db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
}

/* As if so many waited: new ones are refused, and nothing is removed. */
static void test_full(Bench *b, gconstpointer unused) {
    change_total(b->f.store, ALERT_WAITING, ALERTS_WAITING_MAX - 1);
    g_assert_cmpint(add(b, 1, THRESHOLD), ==, 1);
    g_assert_cmpint(add(b, 2, THRESHOLD), ==, -EDQUOT);
    g_assert_cmpint(add(b, 2, THRESHOLD - 1), ==, 1); /* does not wait */
    assert_totals(b, 1, ALERTS_WAITING_MAX, 0);
}

/* They are taken again when a hundredth of them is acknowledged, not for each one. */
static void test_room(Bench *b, gconstpointer unused) {
    for (unsigned i = 0; i < 10; i++)
        g_assert_cmpint(add(b, 1000 + i, THRESHOLD), ==, 1);
    change_total(b->f.store, ALERT_WAITING, ALERTS_WAITING_MAX);
    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1, THRESHOLD), ==, -EDQUOT);
    wait_sent(b, 10);
    acknowledge(b, 0);
    run_pending(b);
    g_assert_cmpint(add(b, 1, THRESHOLD), ==, -EDQUOT);
    g_assert_cmpuint(b->n_room, ==, 0);
    change_total(b->f.store, ALERT_WAITING, ALERTS_WAITING_MAX - ALERTS_WAITING_MAX / 100);
    acknowledge(b, 1);
    run_pending(b);
    g_assert_cmpuint(b->n_room, ==, 1);
    g_assert_cmpint(add(b, 1, THRESHOLD), ==, 1);
}

/* The oldest go, with their hashes. */
static void test_kept(Bench *b, gconstpointer unused) {
    const unsigned n = ALERTS_KEPT_MAX + 50;
    g_autofree Alert *list = g_new0(Alert, n);

    for (unsigned i = 0; i < n; i++)
        list[i] = (Alert){.time_ms = i, .subject = "s", .message = "m"};
    g_assert_cmpint(alerts_add(b->alerts, list, n, THRESHOLD, NULL, NULL), ==, (int)n);
    assert_totals(b, ALERTS_KEPT_MAX, 0, 0);
    g_assert_cmpint(alerts_add(b->alerts, &list[50], 1, THRESHOLD, NULL, NULL), ==, 0);
    g_assert_cmpint(alerts_add(b->alerts, &list[49], 1, THRESHOLD, NULL, NULL), ==, 1);
    assert_totals(b, ALERTS_KEPT_MAX, 0, 0);
}

static void test_old(Bench *b, gconstpointer unused) {
    g_assert_cmpint(add(b, 1, THRESHOLD - 1), ==, 1);
    g_assert_cmpint(add(b, 2, THRESHOLD), ==, 1);
    g_assert_cmpint(store_begin(b->f.store), ==, 0);
    g_assert_cmpint(store_remove_alerts(b->f.store, 0, 0), ==, 0);
    g_assert_cmpint(store_commit(b->f.store), ==, 0);
    assert_totals(b, 0, 1, 0);
}

static int count(const StoredAlert *alert, void *userdata) {
    unsigned *n = userdata;

    g_assert_cmpuint(alert->alert.time_ms, ==, 995 + (*n)++);
    g_assert_cmpint(alert->state, ==, ALERT_WAITING);
    return 0;
}

static void test_list(Bench *b, gconstpointer unused) {
    unsigned n = 0;

    for (unsigned i = 0; i < 20; i++)
        g_assert_cmpint(add(b, 980 + i, THRESHOLD), ==, 1);
    g_assert_cmpint(store_visit_alerts(b->f.store, 5, count, &n), ==, 0);
    g_assert_cmpuint(n, ==, 5);
}

static void limit_pages(Bench *b, unsigned n) {
    g_autofree char *sql = g_strdup_printf("PRAGMA max_page_count = %u", n);

    g_assert_cmpint(sqlite3_exec(b->f.store->db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
}

/* None of them is stored, nor the fact; when there is room they are, and what was acknowledged
 * meanwhile is not sent again. */
static void test_full_disk(Bench *b, gconstpointer unused) {
    const unsigned n = 2000;
    g_autofree Alert *list = g_new0(Alert, n);
    g_autofree char *fact = NULL;

    for (unsigned i = 0; i < n; i++)
        list[i] = (Alert){.time_ms = 1000 + i, .level = 12, .subject = "s", .message = "m"};
    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1, THRESHOLD), ==, 1);
    wait_sent(b, 1);
    limit_pages(b, 1); /* as many as there are */
    g_assert_cmpint(alerts_add(b->alerts, list, n, THRESHOLD, "k", "v"), ==, -ENOSPC);
    assert_totals(b, 0, 1, 0);
    g_assert_cmpint(alerts_get_fact(b->alerts, "k", &fact), ==, 0);
    g_assert_null(fact);
    acknowledge(b, 0);
    limit_pages(b, 1000000);
    g_assert_cmpint(alerts_add(b->alerts, list, n, THRESHOLD, "k", "v"), ==, (int)n);
    run_pending(b);
    assert_totals(b, 0, n, 1);
    g_assert_cmpuint(b->sent->len, ==, 1 + ALERTS_IN_FLIGHT_MAX);
    g_assert_cmpint(time_of(b, 1), ==, 1000);
}

/* Alerts of a database that is damaged elsewhere are carried over, with their totals. */
static void test_carried_over(Bench *b, gconstpointer unused) {
    g_autofree char *path = g_build_filename(b->f.dir, "new.db", NULL);
    _cleanup_(store_closep) Store *fresh = NULL;
    AlertTotal before[_ALERT_STATE_MAX], after[_ALERT_STATE_MAX];

    alerts_opened(b->alerts);
    g_assert_cmpint(add(b, 1, THRESHOLD - 1), ==, 1);
    g_assert_cmpint(add(b, 2, THRESHOLD), ==, 1);
    g_assert_cmpint(add(b, 3, THRESHOLD), ==, 1);
    wait_sent(b, 2);
    acknowledge(b, 0);
    run_pending(b);
    g_assert_cmpint(store_sum_alerts(b->f.store, before), ==, 0);
    b->alerts = alerts_free(b->alerts);
    b->f.store = store_close(b->f.store);
    g_assert_cmpint(store_open(path, &fresh), ==, 0);
    g_assert_cmpint(store_salvage(fresh, b->f.path), ==, 0);
    g_assert_cmpint(store_sum_alerts(fresh, after), ==, 0);
    g_assert_cmpmem(before, sizeof(before), after, sizeof(after));
    fresh = store_close(fresh);
    g_assert_cmpint(store_open(b->f.path, &b->f.store), ==, 0);
    start(b);
}

#define TEST(name, function) g_test_add(name, Bench, NULL, set_up, function, tear_down)

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    TEST("/alerts/once", test_once);
    TEST("/alerts/again", test_again);
    TEST("/alerts/late-acknowledgement", test_late_acknowledgement);
    TEST("/alerts/same", test_same);
    TEST("/alerts/threshold", test_threshold);
    TEST("/alerts/window", test_window);
    TEST("/alerts/congested", test_congested);
    TEST("/alerts/send-fails", test_send_fails);
    TEST("/alerts/fact", test_fact);
    TEST("/alerts/full", test_full);
    TEST("/alerts/room", test_room);
    TEST("/alerts/kept", test_kept);
    TEST("/alerts/old", test_old);
    TEST("/alerts/list", test_list);
    TEST("/alerts/full-disk", test_full_disk);
    TEST("/alerts/carried-over", test_carried_over);
    return g_test_run();
}
