/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that definitions are sampled by one timer of each interval, that the newest samples are
 * kept, in their order and within the bounds, and that nothing is open and nothing wakes up without
 * a definition. */
#include <dirent.h>
#include <inttypes.h>

#include "basic/bounds.h"
#include "basic/time-util.h"
#include "health/health.h"
#include "proc-tree.h"

typedef struct Fixture {
    char *root;
    sd_event *event;
    Health *health;
    unsigned n_samples;
} Fixture;

static void fixture_done(Fixture *f) {
    health_free(f->health);
    sd_event_unref(f->event);
    temporary_remove(&f->root);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static void on_sample(const Stat *stat, const Series *series, void *userdata) {
    Fixture *f = userdata;

    g_assert_nonnull(series_get_newest(series));
    f->n_samples++;
}

static void fixture_init(Fixture *f) {
    f->root = temporary_new();
    tree_write(f->root, "proc/loadavg", "1.00 2.00 3.00 1/2 3\n");
    g_assert_cmpint(sd_event_new(&f->event), ==, 0);
    g_assert_cmpint(health_new(f->event, f->root, &f->health), ==, 0);
    health_set_observer(f->health, on_sample, f);
}

static int add(Fixture *f, const char *name, const char *type, size_t hold, uint64_t interval_usec,
               Stat **ret) {
    return health_add(f->health,
                      &(const StatDefinition){.name = name,
                                              .type = stat_type_find(type),
                                              .hold = hold,
                                              .interval_usec = interval_usec},
                      ret);
}

/* Of the agent itself. */
static int add_own(Fixture *f, const char *type, uint64_t interval_usec) {
    return health_add(f->health,
                      &(const StatDefinition){.name = "own",
                                              .type = stat_type_find(type),
                                              .hold = 1,
                                              .interval_usec = interval_usec,
                                              .owner = STAT_OWNER_AGENT},
                      NULL);
}

static void write_load(Fixture *f, unsigned load) {
    g_autofree char *text = g_strdup_printf("%u.00 2.00 3.00 1/2 3\n", load);

    tree_write(f->root, "proc/loadavg", text);
}

static void test_ring(void) {
    _cleanup_fixture_ Fixture f = {};
    const Series *series;
    Stat *s = NULL;

    fixture_init(&f);
    g_assert_cmpint(add(&f, "a", "load", 3, USEC_PER_SEC, &s), ==, 0);
    series = stat_get_series(s, 0);
    g_assert_null(series_get_newest(series));
    for (unsigned i = 1; i <= 8; i++) {
        write_load(&f, i);
        health_sample(f.health, USEC_PER_SEC);
        g_assert_cmpuint(series_get_n(series), ==, MIN(i, 3u));
        for (unsigned j = 0; j < series_get_n(series); j++)
            g_assert_cmpfloat(sample_get(series_get(series, j), 0), ==,
                              i + 1 - series_get_n(series) + j);
        g_assert_null(series_get(series, 3));
    }
    g_assert_cmpuint(f.n_samples, ==, 8);
    health_sample(f.health, 2 * USEC_PER_SEC); /* nobody has that interval */
    g_assert_cmpuint(f.n_samples, ==, 8);
    /* a file that cannot be read gives no sample, and is read again when it can be */
    tree_write(f.root, "proc/loadavg", "");
    health_sample(f.health, USEC_PER_SEC);
    g_assert_cmpuint(f.n_samples, ==, 8);
    write_load(&f, 9);
    health_sample(f.health, USEC_PER_SEC);
    g_assert_cmpfloat(sample_get(series_get_newest(series), 0), ==, 9);
}

static void test_names(void) {
    _cleanup_fixture_ Fixture f = {};
    Stat *a = NULL, *own = NULL;
    StatDefinition d = {.name = "a",
                        .type = stat_type_find("memory"),
                        .hold = 1,
                        .interval_usec = USEC_PER_SEC,
                        .owner = STAT_OWNER_AGENT};

    fixture_init(&f);
    g_assert_null(health_find(f.health, STAT_OWNER_MANAGER, "a"));
    g_assert_cmpint(add(&f, "a", "load", 3, USEC_PER_SEC, &a), ==, 0);
    g_assert_cmpint(add(&f, "a", "memory", 3, USEC_PER_SEC, NULL), ==, -EEXIST);
    g_assert_cmpint(health_add(f.health, &d, &own), ==, 0); /* a space of its own */
    g_assert_true(health_find(f.health, STAT_OWNER_MANAGER, "a") == a);
    g_assert_true(health_find(f.health, STAT_OWNER_AGENT, "a") == own);
    health_remove(f.health, a);
    g_assert_null(health_find(f.health, STAT_OWNER_MANAGER, "a"));
    g_assert_true(health_find(f.health, STAT_OWNER_AGENT, "a") == own);
    g_assert_cmpint(add(&f, "a", "load", 3, USEC_PER_SEC, &a), ==, 0);
    g_assert_false(stat_take_over(a));
}

static void test_bounds(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    for (unsigned i = 0; i < STAT_INTERVALS_MAX; i++) {
        g_autofree char *name = g_strdup_printf("interval-%u", i);

        g_assert_cmpint(add(&f, name, "load", 1, (i + 1) * USEC_PER_SEC, NULL), ==, 0);
    }
    g_assert_cmpint(add(&f, "x", "load", 1, 7654321, NULL), ==, -EMLINK);
    g_assert_cmpint(add_own(&f, "load", 7654321), ==, 0);
    g_assert_cmpint(add(&f, "x", "load", 1, 7654321, NULL), ==, -EMLINK);
    for (unsigned i = STAT_INTERVALS_MAX; i < STATS_MAX; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);

        g_assert_cmpint(add(&f, name, "load", 1, USEC_PER_SEC, NULL), ==, 0);
    }
    g_assert_cmpint(add(&f, "x", "load", 1, USEC_PER_SEC, NULL), ==, -ENOSPC);
    health_remove(f.health, health_find(f.health, STAT_OWNER_MANAGER, "interval-3"));
    g_assert_cmpint(add(&f, "x", "load", 1, 7654321, NULL), ==, 0);
}

/* However much the manager has sampled, there is room for the agent's own. */
static void test_own_budget(void) {
    _cleanup_fixture_ Fixture f = {};
    Stat *s = NULL;

    fixture_init(&f);
    for (unsigned i = 0; i < STATS_MAX; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);

        g_assert_cmpint(add(&f, name, "load", STAT_HOLD_MAX, USEC_PER_SEC, &s), ==, 0);
    }
    for (unsigned i = 0; i < 2000; i++)
        health_sample(f.health, USEC_PER_SEC);
    g_assert_cmpuint(series_get_n(stat_get_series(s, 0)), <, 2000); /* the room is used up */
    g_assert_cmpint(add_own(&f, "load", 2 * USEC_PER_SEC), ==, 0);
    f.n_samples = 0;
    health_sample(f.health, 2 * USEC_PER_SEC);
    g_assert_cmpuint(f.n_samples, ==, 1);
}

/* All samples together have a bound: beyond it the oldest goes, though fewer than the hold count
 * are there. */
static void test_budget(void) {
    const StatType *t = stat_type_find("load");
    SeriesBudget budget = {.max = 1000};
    _cleanup_(series_freep) Series *a = NULL, *b = NULL;
    _cleanup_(measure_done) Measure m = {};

    g_assert_cmpint(series_new(t, (unsigned)(budget.max / sizeof(void *)) + 1, &budget, &a), ==,
                    -ENOBUFS);
    g_assert_cmpint(series_new(t, 50, &budget, &a), ==, 0);
    for (unsigned i = 0; i < 100; i++) {
        Sample *s = NULL;

        m.values[0] = i;
        g_assert_cmpint(sample_new(t, &m, i, &s), ==, 0);
        g_assert_cmpint(series_add(a, s), ==, 0);
        g_assert_cmpuint(budget.used, <=, budget.max);
        g_assert_cmpfloat(sample_get(series_get_newest(a), 0), ==, i);
    }
    g_assert_cmpuint(series_get_n(a), >, 2);
    g_assert_cmpuint(series_get_n(a), <, 50);
    g_assert_cmpint(series_new(t, 1, &budget, &b), ==, 0);
    for (unsigned i = 0; i < 2; i++) {
        Sample *s = NULL;
        int r;

        g_assert_cmpint(sample_new(t, &m, i, &s), ==, 0);
        r = series_add(b, s);
        g_assert_true(r == 0 || r == -ENOBUFS);
    }
    a = series_free(a);
    b = series_free(b);
    g_assert_cmpuint(budget.used, ==, 0);
}

/* The newest, oldest of them first, as many as fit. */
static void test_json(void) {
    _cleanup_fixture_ Fixture f = {};
    Stat *s = NULL;

    fixture_init(&f);
    g_assert_cmpint(add(&f, "a", "load", 100, USEC_PER_SEC, &s), ==, 0);
    for (unsigned i = 0; i < 50; i++) {
        write_load(&f, i);
        health_sample(f.health, USEC_PER_SEC);
    }
    for (size_t size = 0; size < 20000; size += 997) {
        _cleanup_json_ struct json_object *o = NULL;
        struct json_object *array, *last;
        size_t left_out = 0, n, text_size;

        g_assert_cmpint(stat_to_json(s, size, &o, &left_out), ==, 0);
        array = json_get(o, "status");
        n = json_object_array_length(array);
        g_assert_cmpuint(n + left_out, ==, 50);
        (void)json_to_text(array, &text_size);
        g_assert_cmpuint(text_size, <=, MAX(size, (size_t)2));
        if (n == 0)
            continue;
        last = json_object_array_get_idx(array, n - 1);
        g_assert_cmpfloat(json_object_get_double(json_get(last, "load-1")), ==, 49);
        g_assert_cmpint(json_object_get_int(json_get(last, "tasks")), ==, 2);
        g_assert_true(json_object_is_type(json_get(last, "timestamp"), json_type_double));
    }
}

/* As many samples as there are to tell: their receiver can parse them, as a part of a reply. */
static void test_json_of_many_rows(void) {
    _cleanup_fixture_ Fixture f = {};
    _cleanup_json_ struct json_object *o = NULL, *p = NULL;
    Stat *s = NULL;
    size_t left_out = 0;
    const char *json;

    fixture_init(&f);
    tree_write(f.root, "sys/class/hwmon/hwmon0/name", "chip\n");
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *path = g_strdup_printf("sys/class/hwmon/hwmon0/temp%u_input", i + 1);

        tree_write(f.root, path, "50000\n");
    }
    g_assert_cmpint(add(&f, "a", "temperature", 2000, USEC_PER_SEC, &s), ==, 0);
    for (unsigned i = 0; i < 1500; i++)
        health_sample(f.health, USEC_PER_SEC);
    g_assert_cmpint(stat_to_json(s, STAT_REPLY_SIZE_MAX, &o, &left_out), ==, 0);
    g_assert_cmpuint(json_object_array_length(json_get(o, "status")), >, 40);
    g_assert_cmpuint(left_out, >, 0);
    json = json_to_text(o, &(size_t){0});
    g_assert_cmpint(json_parse_part(json, strlen(json), &p), ==, 0);
}

static void test_overview(void) {
    _cleanup_fixture_ Fixture f = {};
    Stat *s = NULL;

    fixture_init(&f);
    tree_write(f.root, "proc/meminfo", "MemTotal: 4 kB\nMemFree: 1 kB\n");
    g_assert_cmpint(add(&f, "all", "system-overview", 5, USEC_PER_SEC, &s), ==, 0);
    for (unsigned i = 0; i < 3; i++) {
        _cleanup_json_ struct json_object *o = NULL;
        struct json_object *array, *one;
        size_t left_out;

        g_assert_cmpint(stat_to_json(s, 1000000, &o, &left_out), ==, 0);
        array = json_get(o, "status");
        g_assert_cmpuint(json_object_array_length(array), ==, MIN(i, 1u)); /* the newest alone */
        one = json_object_array_get_idx(array, 0);
        if (i > 0) {
            g_assert_cmpint(json_object_get_int(json_get(json_get(one, "memory"), "total")), ==,
                            4096);
            g_assert_cmpfloat(json_object_get_double(json_get(json_get(one, "load"), "load-1")), ==,
                              i);
            g_assert_null(json_get(one, "pressure"));
            g_assert_nonnull(json_get(one, "timestamp"));
        }
        write_load(&f, i + 1);
        health_sample(f.health, USEC_PER_SEC);
    }
}

static unsigned count_files(void) {
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    g_assert_nonnull(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

/* The loop's own timers: a second definition of an interval has no other, and with the last
 * definition everything is closed. */
static void test_timers(void) {
    _cleanup_fixture_ Fixture f = {};
    unsigned n_files, iterations = 0;
    Stat *a = NULL, *b = NULL, *c = NULL;

    fixture_init(&f);
    n_files = count_files();
    g_assert_cmpint(add(&f, "a", "load", 100, STAT_INTERVAL_USEC_MIN, &a), ==, 0);
    g_assert_cmpint(add(&f, "b", "load", 100, STAT_INTERVAL_USEC_MIN, &b), ==, 0);
    g_assert_cmpint(add(&f, "c", "load", 100, 3600 * USEC_PER_SEC, &c), ==, 0);
    while (series_get_n(stat_get_series(a, 0)) < 3) {
        g_assert_cmpint(sd_event_run(f.event, UINT64_MAX), >=, 0);
        iterations++;
    }
    g_assert_cmpuint(series_get_n(stat_get_series(b, 0)), ==, 3);
    g_assert_cmpuint(series_get_n(stat_get_series(c, 0)), ==, 0);
    g_assert_cmpuint(iterations, <=, 3);
    for (unsigned i = 0; i < 3; i++)
        g_assert_cmpuint(sample_get_time(series_get(stat_get_series(a, 0), i)), ==,
                         sample_get_time(series_get(stat_get_series(b, 0), i)));
    health_remove(f.health, a);
    health_remove(f.health, b);
    health_remove(f.health, c);
    g_assert_cmpuint(count_files(), <=, n_files + 1); /* the loop keeps its timer's */
    g_assert_cmpint(sd_event_run(f.event, 0), ==, 0);
}

static int count(const Stat *stat, void *userdata) {
    unsigned *n = userdata;

    return ++*n == 2 ? 7 : 0;
}

static void test_visit(void) {
    _cleanup_fixture_ Fixture f = {};
    unsigned n = 0;

    fixture_init(&f);
    g_assert_cmpint(health_visit(f.health, count, &n), ==, 0);
    for (unsigned i = 0; i < 3; i++)
        g_assert_cmpint(add(&f, (char[]){(char)('a' + i), 0}, "load", 1, USEC_PER_SEC, NULL), ==,
                        0);
    g_assert_cmpint(health_visit(f.health, count, &n), ==, 7);
    g_assert_cmpuint(n, ==, 2);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/health/ring", test_ring);
    g_test_add_func("/health/names", test_names);
    g_test_add_func("/health/bounds", test_bounds);
    g_test_add_func("/health/budget", test_budget);
    g_test_add_func("/health/own-budget", test_own_budget);
    g_test_add_func("/health/json", test_json);
    g_test_add_func("/health/json-of-many-rows", test_json_of_many_rows);
    g_test_add_func("/health/overview", test_overview);
    g_test_add_func("/health/timers", test_timers);
    g_test_add_func("/health/visit", test_visit);
    return g_test_run();
}
