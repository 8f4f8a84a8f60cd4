/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which backups are retained: by examples, and by what must hold for any list, compared with
 * a second way to say it. */
#include <glib.h>
#include <time.h>

#include "backup/retention.h"
#include "basic/bounds.h"

#define DAY (UINT64_C(86400) * USEC_PER_SEC)
#define LISTS 20000

/* 2024-01-01 was a Monday */
#define MONDAY (UINT64_C(1704067200) * USEC_PER_SEC)

static void check(Retention r, const uint64_t *times, size_t n, const char *expected) {
    g_autofree bool *delete = g_new0(bool, n + 1);
    g_autoptr(GString) kept = g_string_new(NULL);

    retention_choose(&r, times, n, delete);
    for (size_t i = 0; i < n; i++)
        g_string_append_c(kept, delete[i] ? '-' : 'K');
    g_assert_cmpstr(kept->str, ==, expected);
}

static void test_examples(void) {
    const uint64_t days[] = {MONDAY,           MONDAY + 1,       MONDAY + DAY,
                             MONDAY + 2 * DAY, MONDAY + 6 * DAY, MONDAY + 7 * DAY,
                             MONDAY + 8 * DAY, MONDAY + 31 * DAY};

    check((Retention){}, days, 8, "KKKKKKKK");
    check((Retention){.newest = 3}, days, 8, "-----KKK");
    check((Retention){.newest = 100}, days, 8, "KKKKKKKK");
    check((Retention){.days = 1}, days, 8, "-------K");
    check((Retention){.days = 8}, days, 8, "-KKKKKKK"); /* the later one of the first day */
    check((Retention){.weeks = 2}, days, 8, "------KK");
    check((Retention){.weeks = 3}, days, 8, "----K-KK"); /* Sunday belongs to the week before */
    check((Retention){.months = 2}, days, 8, "------KK");
    check((Retention){.newest = 1, .days = 2, .weeks = 3, .months = 2}, days, 8, "----K-KK");
    check((Retention){.newest = 1}, days, 0, "");
}

static int64_t period_of(unsigned kind, uint64_t time_usec) {
    const int64_t seconds = (int64_t)(time_usec / USEC_PER_SEC);
    GDateTime *t = g_date_time_new_from_unix_utc(seconds);
    int64_t p = 0;
    int y, w;

    switch (kind) {
    case 0:
        p = (int64_t)time_usec;
        break;
    case 1:
        p = g_date_time_get_year(t) * 1000 + g_date_time_get_day_of_year(t);
        break;
    case 2:
        y = g_date_time_get_week_numbering_year(t);
        w = g_date_time_get_week_of_year(t);
        p = y * 100 + w;
        break;
    default:
        p = g_date_time_get_year(t) * 100 + g_date_time_get_month(t);
    }
    g_date_time_unref(t);
    return p;
}

/* By the definition: it is the newest of its period, and fewer than so many periods are newer. */
static bool is_kept_for(unsigned kind, unsigned n_kept, const uint64_t *times, size_t n, size_t i) {
    g_autoptr(GHashTable) newer = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    const int64_t own = period_of(kind, times[i]);

    for (size_t j = 0; j < n; j++) {
        const int64_t other = period_of(kind, times[j]);

        if (other == own && (times[j] > times[i] || (times[j] == times[i] && j < i)))
            return false;
        if (other != own && times[j] > times[i])
            g_hash_table_add(newer, g_memdup2(&other, sizeof(other)));
    }
    return g_hash_table_size(newer) < n_kept;
}

static void check_random(void) {
    const Retention r = {
        (unsigned)g_test_rand_int_range(0, 4), (unsigned)g_test_rand_int_range(0, 8),
        (unsigned)g_test_rand_int_range(0, 5), (unsigned)g_test_rand_int_range(0, 5)};
    const size_t n = (size_t)g_test_rand_int_range(0, 14);
    const double spread = g_test_rand_double_range(0.1, 40);
    uint64_t times[14], newest = 0;
    bool delete[14];

    for (size_t i = 0; i < n; i++) {
        times[i] = MONDAY + (uint64_t)(g_test_rand_double() * spread * (double)n * (double)DAY);
        newest = MAX(newest, times[i]);
    }
    if (n > 1 && g_test_rand_bit())
        times[1] = times[0];
    newest = 0;
    for (size_t i = 0; i < n; i++)
        newest = MAX(newest, times[i]);
    retention_choose(&r, times, n, delete);
    for (size_t i = 0; i < n; i++) {
        const bool is_kept =
            !retention_is_set(&r) || is_kept_for(0, MAX(r.newest, 1u), times, n, i) ||
            is_kept_for(1, r.days, times, n, i) || is_kept_for(2, r.weeks, times, n, i) ||
            is_kept_for(3, r.months, times, n, i);

        g_assert_cmpint(!delete[i], ==, is_kept);
    }
    for (size_t i = 0, left = 0; i < n; i++) {
        left += times[i] == newest && !delete[i];
        if (i == n - 1)
            g_assert_cmpuint(left, >=, 1);
    }
}

static void test_random(void) {
    for (unsigned i = 0; i < LISTS; i++)
        check_random();
}

/* What was deleted before does not matter: a second look deletes nothing more. */
static void test_again(void) {
    for (unsigned round = 0; round < 2000; round++) {
        const Retention r = {2, 3, 2, 2};
        uint64_t times[40], kept[40];
        bool delete[40];
        size_t n_kept = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(times); i++)
            times[i] = MONDAY + (uint64_t)(g_test_rand_double() * 90 * (double)DAY);
        retention_choose(&r, times, G_N_ELEMENTS(times), delete);
        for (size_t i = 0; i < G_N_ELEMENTS(times); i++)
            if (!delete[i])
                kept[n_kept++] = times[i];
        g_assert_cmpuint(n_kept, <=, 2 + 3 + 2 + 2);
        retention_choose(&r, kept, n_kept, delete);
        for (size_t i = 0; i < n_kept; i++)
            g_assert_false(delete[i]);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/retention/examples", test_examples);
    g_test_add_func("/backup/retention/random", test_random);
    g_test_add_func("/backup/retention/again", test_again);
    return g_test_run();
}
