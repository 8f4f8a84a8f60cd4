/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that each crossing is told once and its end once: over restarts, reloads and a store that
 * cannot be written, for rows that are missing for once, rows whose names are alike or no UTF-8,
 * and for many of them at a time. The values are temperatures of a tree of our own. */
#include "alert/watch.h"
#include "basic/time-util.h"
#include "proc-tree.h"
#include "store-fixture.h"
#include "store/statement.h"

#define TIMEOUT_USEC (20 * USEC_PER_SEC)
#define HOT "[hot]\nstatistic = temperature\nvalue = celsius\nabove = 90\ninterval = 1\n"

typedef struct Bench {
    Fixture f;
    char *root;
    sd_event *event;
    Health *health;
    Alerts *alerts;
    AlertWatch *watch;
    GPtrArray *told; /* "subject|message" */
    unsigned n_commits;
} Bench;

static int commit(void *userdata) {
    return 0;
}

static int send_message(struct json_object *message, void *userdata) {
    return -ENOTCONN;
}

static bool is_congested(void *userdata) {
    return false;
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    g_error("%s: %s", file, text);
}

static void on_sample(const Stat *stat, const Series *series, void *userdata) {
    alert_watch_sampled(((Bench *)userdata)->watch, stat, series);
}

static int on_commit(void *userdata) {
    ((Bench *)userdata)->n_commits++;
    return 0;
}

static void configure(Bench *b, const char *text) {
    g_autofree char *path = g_build_filename(b->root, "alerts.conf", NULL);
    g_autofree char *drop_ins = g_build_filename(b->root, "alerts.conf.d", NULL);
    AlertRules rules = {};

    tree_write(b->root, "alerts.conf", text);
    g_assert_cmpint(alert_rules_load(path, drop_ins, on_problem, NULL, &rules), ==, 0);
    g_assert_cmpint(alert_watch_configure(b->watch, &rules), >=, 0);
    alert_rules_done(&rules);
}

static void start(Bench *b) {
    static const AlertsCallbacks callbacks = {
        .commit = commit, .send = send_message, .is_congested = is_congested};

    g_assert_cmpint(health_new(b->event, b->root, &b->health), ==, 0);
    health_set_observer(b->health, on_sample, b);
    g_assert_cmpint(alerts_new(b->event, b->f.store, &callbacks, b, &b->alerts), ==, 0);
    g_assert_cmpint(alert_watch_new(b->event, b->health, b->alerts, &b->watch), ==, 0);
    (void)sqlite3_commit_hook(b->f.store->db, on_commit, b);
}

static void stop(Bench *b) {
    alert_watch_free(b->watch);
    health_free(b->health);
    alerts_free(b->alerts);
}

static void set_up(Bench *b, gconstpointer unused) {
    fixture_init(&b->f);
    b->root = temporary_new();
    b->told = g_ptr_array_new_with_free_func(g_free);
    g_assert_cmpint(sd_event_new(&b->event), ==, 0);
    start(b);
}

static void tear_down(Bench *b, gconstpointer unused) {
    stop(b);
    sd_event_unref(b->event);
    g_ptr_array_unref(b->told);
    temporary_remove(&b->root);
    fixture_done(&b->f);
}

static void restart(Bench *b) {
    stop(b);
    reopen(&b->f);
    start(b);
}

static void set_sensor(Bench *b, unsigned i, const char *label, const char *millidegrees) {
    g_autofree char *chip = g_strdup_printf("sys/class/hwmon/hwmon%u", i);
    g_autofree char *name = g_strconcat(chip, "/name", NULL);
    g_autofree char *labels = g_strconcat(chip, "/temp1_label", NULL);
    g_autofree char *input = g_strconcat(chip, "/temp1_input", NULL);

    tree_write(b->root, name, "chip\n");
    tree_write(b->root, labels, label);
    tree_write(b->root, input, millidegrees);
}

static void sample(Bench *b, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        health_sample(b->health, USEC_PER_SEC);
}

static int on_alert(const StoredAlert *row, void *userdata) {
    g_ptr_array_add(userdata, g_strdup_printf("%s|%s", row->alert.subject, row->alert.message));
    return 0;
}

static unsigned count_told(Bench *b) {
    g_ptr_array_set_size(b->told, 0);
    g_assert_cmpint(store_visit_alerts(b->f.store, 100000, on_alert, b->told), ==, 0);
    return b->told->len;
}

static void set_writable(Bench *b, bool yes) {
    g_assert_cmpint(sqlite3_exec(b->f.store->db,
                                 yes ? "PRAGMA query_only = 0" : "PRAGMA query_only = 1", NULL,
                                 NULL, NULL),
                    ==, SQLITE_OK);
}

#define COOL "hot: cleared|chip a: celsius is 50"
#define UNWATCHED "hot: cleared|chip a: there is no rule for it any more"

static void raise_hot(Bench *b) {
    set_sensor(b, 0, "a\n", "95000\n");
    configure(b, HOT);
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 1);
}

static void test_once(Bench *b, gconstpointer unused) {
    raise_hot(b);
    configure(b, HOT);
    sample(b, 2);
    restart(b);
    configure(b, HOT);
    sample(b, 2);
    g_assert_cmpuint(count_told(b), ==, 1);
    set_sensor(b, 0, "a\n", "50000\n");
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 2);
    g_assert_true(g_str_has_prefix(g_ptr_array_index(b->told, 1), COOL));
}

/* A reading that fails for once is no end, the second one in a row is. */
static void test_missing(Bench *b, gconstpointer unused) {
    raise_hot(b);
    for (unsigned i = 0; i < 3; i++) {
        set_sensor(b, 0, "a\n", "broken\n");
        sample(b, 1);
        set_sensor(b, 0, "a\n", "95000\n");
        sample(b, 1);
    }
    g_assert_cmpuint(count_told(b), ==, 1);
    set_sensor(b, 0, "a\n", "broken\n");
    sample(b, 1);
    g_assert_cmpuint(count_told(b), ==, 1);
    sample(b, 1);
    g_assert_cmpuint(count_told(b), ==, 2);
    g_assert_cmpstr(g_ptr_array_index(b->told, 1), ==, "hot: cleared|chip a: is gone");
    sample(b, 5);
    g_assert_cmpuint(count_told(b), ==, 2);
}

static void test_no_utf8(Bench *b, gconstpointer unused) {
    set_sensor(b, 0, "caf\xe9\n", "95000\n");
    configure(b, HOT);
    sample(b, 2);
    g_assert_cmpuint(count_told(b), ==, 1);
    configure(b, HOT);
    sample(b, 3);
    restart(b);
    configure(b, HOT);
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 1);
}

/* They are one, of which the worse value counts. */
static void test_names_alike(Bench *b, gconstpointer unused) {
    set_sensor(b, 0, "\xff\n", "95000\n");
    set_sensor(b, 1, "\xfe\n", "50000\n");
    configure(b, HOT);
    sample(b, 5);
    g_assert_cmpuint(count_told(b), ==, 1);
    set_sensor(b, 0, "\xff\n", "50000\n");
    set_sensor(b, 1, "\xfe\n", "96000\n");
    sample(b, 5);
    g_assert_cmpuint(count_told(b), ==, 1);
}

/* Two processors have sensors of the same names. */
static void test_two_chips(Bench *b, gconstpointer unused) {
    set_sensor(b, 0, "a\n", "95000\n");
    set_sensor(b, 1, "a\n", "50000\n");
    configure(b, HOT);
    sample(b, 5);
    g_assert_cmpuint(count_told(b), ==, 1);
}

static void test_taken_away(Bench *b, gconstpointer unused) {
    raise_hot(b);
    configure(b, "");
    g_assert_cmpuint(count_told(b), ==, 2);
    g_assert_cmpstr(g_ptr_array_index(b->told, 1), ==, UNWATCHED);
    restart(b);
    set_sensor(b, 0, "a\n", "96000\n"); /* equal alerts of one millisecond are one */
    configure(b, HOT);
    sample(b, 2);
    g_assert_cmpuint(count_told(b), ==, 3);
}

/* Its end is told when the store can be written, by this process or the next. */
static void test_taken_away_while_full(Bench *b, gconstpointer unused) {
    raise_hot(b);
    set_writable(b, false);
    configure(b, "");
    g_assert_cmpuint(count_told(b), ==, 1);
    set_writable(b, true);
    while (count_told(b) < 2)
        g_assert_cmpint(sd_event_run(b->event, TIMEOUT_USEC), >, 0);
    g_assert_cmpstr(g_ptr_array_index(b->told, 1), ==, UNWATCHED);
    restart(b);
    configure(b, "");
    g_assert_cmpuint(count_told(b), ==, 2);
}

/* Another alert in between does not make it forgotten. */
static void test_taken_away_and_killed(Bench *b, gconstpointer unused) {
    static const char other[] =
        "[other]\nstatistic = temperature\nvalue = celsius\nabove = 10\ninterval = 1\n";

    raise_hot(b);
    set_writable(b, false);
    configure(b, other);
    set_writable(b, true);
    sample(b, 1);
    g_assert_cmpuint(count_told(b), ==, 2);
    restart(b);
    configure(b, other);
    g_assert_cmpuint(count_told(b), ==, 3);
    g_assert_cmpstr(g_ptr_array_index(b->told, 2), ==, UNWATCHED);
}

static void test_full(Bench *b, gconstpointer unused) {
    set_sensor(b, 0, "a\n", "95000\n");
    configure(b, HOT);
    set_writable(b, false);
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 0);
    set_writable(b, true);
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 1);
    set_writable(b, false);
    set_sensor(b, 0, "a\n", "50000\n");
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 1);
    set_writable(b, true);
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 2);
}

/* A rule of all resources becomes one of a trigger, which watches one of them; or, where the kernel
 * gives us none, samples it. */
static void test_becomes_trigger(Bench *b, gconstpointer unused) {
    static const char line[] = "some avg10=50.00 avg60=0.00 avg300=0.00 total=1\n"
                               "full avg10=50.00 avg60=0.00 avg300=0.00 total=1\n";

    tree_write(b->root, "proc/pressure/io", line);
    configure(b, "[p]\nstatistic = pressure\nvalue = full-avg10\nabove = 1\ninterval = 1\n");
    sample(b, 2);
    g_assert_cmpuint(count_told(b), ==, 1);
    configure(b, "[p]\nstatistic = pressure\nvalue = full-avg10\nrows = memory\nstall = 1.9\n"
                 "interval = 1\n");
    sample(b, 3);
    g_assert_cmpuint(count_told(b), ==, 2);
    g_assert_true(g_str_has_prefix(g_ptr_array_index(b->told, 1),
                                   "p: cleared|io: there is no rule for it any more"));
}

/* One sample is one commit, however many rows cross a threshold. */
static void test_many(Bench *b, gconstpointer unused) {
    g_autoptr(GString) rules = g_string_new("");
    const unsigned n_rules = 32, n_sensors = 100;

    for (unsigned i = 0; i < n_rules; i++)
        g_string_append_printf(rules, "[r%u]\n%s", i, strchr(HOT, '\n') + 1);
    for (unsigned i = 0; i < n_sensors; i++) {
        g_autofree char *label = g_strdup_printf("%u\n", i);

        set_sensor(b, i, label, "95000\n");
    }
    configure(b, rules->str);
    b->n_commits = 0;
    sample(b, 1);
    g_assert_cmpuint(count_told(b), ==, n_rules * n_sensors);
    g_assert_cmpuint(b->n_commits, ==, 1);
    configure(b, "");
    g_assert_cmpuint(count_told(b), ==, 2 * n_rules * n_sensors);
    g_assert_cmpuint(b->n_commits, ==, 2);
}

#define TEST(path, function) g_test_add(path, Bench, NULL, set_up, function, tear_down)

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    TEST("/alert-watch/once", test_once);
    TEST("/alert-watch/missing", test_missing);
    TEST("/alert-watch/no-utf8", test_no_utf8);
    TEST("/alert-watch/names-alike", test_names_alike);
    TEST("/alert-watch/two-chips", test_two_chips);
    TEST("/alert-watch/taken-away", test_taken_away);
    TEST("/alert-watch/taken-away-while-full", test_taken_away_while_full);
    TEST("/alert-watch/taken-away-and-killed", test_taken_away_and_killed);
    TEST("/alert-watch/full", test_full);
    TEST("/alert-watch/becomes-trigger", test_becomes_trigger);
    TEST("/alert-watch/many", test_many);
    return g_test_run();
}
