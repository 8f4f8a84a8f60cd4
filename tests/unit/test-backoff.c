/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that waits double from the start to the maximum, are uniform in their upper half, and that
 * a forced pause is at least what was asked for. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/backoff.h"

static void test_doubling(void) {
    static const struct {
        uint64_t initial, max;
        uint64_t waits[6];
    } cases[] = {
        {1000, 8000, {1000, 2000, 4000, 8000, 8000, 8000}},
        {1000, 5000, {1000, 2000, 4000, 5000, 5000, 5000}},
        {1000, 1000, {1000, 1000, 1000, 1000, 1000, 1000}},
        {9000, 1000, {1000, 1000, 1000, 1000, 1000, 1000}},
        {1, 3, {1, 2, 3, 3, 3, 3}},
        {0, 0, {0, 0, 0, 0, 0, 0}},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        Backoff b;

        backoff_init(&b, cases[i].initial, cases[i].max);
        for (unsigned round = 0; round < 2; round++) {
            for (size_t k = 0; k < ELEMENTSOF(cases[i].waits); k++)
                g_assert_cmpuint(backoff_next(&b, UINT32_MAX), ==, cases[i].waits[k]);
            backoff_reset(&b);
        }
    }
}

static void test_no_overflow(void) {
    Backoff b;

    backoff_init(&b, UINT64_MAX / 2 + 10, UINT64_MAX);
    for (int i = 0; i < 4; i++) {
        uint64_t wait = backoff_next(&b, 0);

        g_assert_cmpuint(wait, >=, UINT64_MAX / 4);
        g_assert_cmpuint(b.current_usec, ==, UINT64_MAX);
    }
}

static void test_jitter(void) {
    static const struct {
        uint32_t random;
        uint64_t wait;
    } cases[] = {{0, 500000}, {UINT32_MAX / 2, 749999}, {UINT32_MAX, 1000000}};
    g_autoptr(GRand) rand = g_rand_new_with_seed(104);

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        Backoff b;

        backoff_init(&b, USEC_PER_SEC, USEC_PER_SEC);
        g_assert_cmpuint(backoff_next(&b, cases[i].random), ==, cases[i].wait);
    }
    for (int i = 0; i < 10000; i++) {
        Backoff b;
        uint64_t wait, w = g_rand_int(rand);

        backoff_init(&b, w, UINT64_MAX);
        wait = backoff_next(&b, g_rand_int(rand));
        g_assert_cmpuint(wait, >=, w / 2);
        g_assert_cmpuint(wait, <=, w);
    }
}

static void test_forced(void) {
    static const uint64_t waits[] = {0, 1, 9, 10, 60 * USEC_PER_SEC, 86400 * USEC_PER_SEC};

    for (size_t i = 0; i < ELEMENTSOF(waits); i++) {
        g_assert_cmpuint(backoff_forced(waits[i], 0), ==, waits[i]);
        g_assert_cmpuint(backoff_forced(waits[i], UINT32_MAX), ==, waits[i] + waits[i] / 10);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backoff/doubling", test_doubling);
    g_test_add_func("/backoff/no-overflow", test_no_overflow);
    g_test_add_func("/backoff/jitter", test_jitter);
    g_test_add_func("/backoff/forced", test_forced);
    return g_test_run();
}
