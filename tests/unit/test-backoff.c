/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that waits double from the start to the maximum, are uniform in their upper half, that a
 * forced pause is at least what was asked for, that connections which are accepted and soon over
 * meet growing waits, and that a fleet does not come back in one wave. */
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
                g_assert_cmpuint(backoff_next(&b, BACKOFF_FAILED, 0, UINT32_MAX), ==,
                                 cases[i].waits[k]);
            backoff_reset(&b);
        }
    }
}

static void test_no_overflow(void) {
    Backoff b;

    backoff_init(&b, UINT64_MAX / 2 + 10, UINT64_MAX);
    for (int i = 0; i < 4; i++) {
        uint64_t wait = backoff_next(&b, BACKOFF_FAILED, 0, 0);

        g_assert_cmpuint(wait, >=, UINT64_MAX / 4);
        g_assert_cmpuint(b.current_usec, ==, UINT64_MAX);
    }
    (void)backoff_next(&b, BACKOFF_ENDED, 0, UINT32_MAX);
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
        g_assert_cmpuint(backoff_next(&b, BACKOFF_FAILED, 0, cases[i].random), ==, cases[i].wait);
    }
    for (int i = 0; i < 10000; i++) {
        Backoff b;
        uint64_t wait, w = g_rand_int(rand);

        backoff_init(&b, w, UINT64_MAX);
        wait = backoff_next(&b, BACKOFF_FAILED, 0, g_rand_int(rand));
        g_assert_cmpuint(wait, >=, w / 2);
        g_assert_cmpuint(wait, <=, w);
    }
}

static void test_forced(void) {
    static const uint64_t waits[] = {9, 10, 60 * USEC_PER_SEC, 86400 * USEC_PER_SEC};

    for (size_t i = 0; i < ELEMENTSOF(waits); i++) {
        Backoff b;

        backoff_init(&b, 1, 1);
        g_assert_cmpuint(backoff_next(&b, BACKOFF_FAILED, waits[i], 0), ==, waits[i]);
        g_assert_cmpuint(backoff_next(&b, BACKOFF_ENDED, waits[i], UINT32_MAX), ==,
                         waits[i] + waits[i] / 10);
    }
}

/* Not shorter than the backoff, which it also counts for. */
static void test_forced_and_backoff(void) {
    Backoff b;

    backoff_init(&b, 1000, 64000);
    for (unsigned i = 0; i < 5; i++)
        (void)backoff_next(&b, BACKOFF_FAILED, 0, UINT32_MAX);
    g_assert_cmpuint(backoff_next(&b, BACKOFF_FAILED, 10, UINT32_MAX), ==, 32000);
}

/* The acceptance resets the one wait, and not the other. */
static void test_short_connections(void) {
    static const uint64_t waits[] = {1000, 1000, 1000, 1000, 2000, 4000, 8000, 8000};
    Backoff b;

    backoff_init(&b, 1000, 8000);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < ELEMENTSOF(waits); i++) {
            backoff_reset(&b);
            g_assert_cmpint(backoff_is_flapping(&b), ==, i > 3);
            g_assert_cmpuint(backoff_next(&b, BACKOFF_SHORT, 0, UINT32_MAX), ==, waits[i]);
            g_assert_cmpint(backoff_is_flapping(&b), ==, i >= 3);
        }
        backoff_reset(&b);
        g_assert_cmpuint(backoff_next(&b, BACKOFF_LOST, 0, UINT32_MAX), ==, 1000);
        g_assert_false(backoff_is_flapping(&b));
        backoff_reset(&b);
    }
}

static void test_ended(void) {
    Backoff b;

    backoff_init(&b, USEC_PER_SEC, 300 * USEC_PER_SEC);
    g_assert_cmpuint(backoff_next(&b, BACKOFF_ENDED, 0, 0), ==, 0);
    g_assert_cmpuint(backoff_next(&b, BACKOFF_ENDED, 0, UINT32_MAX), ==, 5 * USEC_PER_SEC);
    g_assert_cmpuint(backoff_next(&b, BACKOFF_FAILED, 0, UINT32_MAX), ==, USEC_PER_SEC);
    backoff_init(&b, USEC_PER_SEC, 2 * USEC_PER_SEC);
    g_assert_cmpuint(backoff_next(&b, BACKOFF_ENDED, 0, UINT32_MAX), ==, 2 * USEC_PER_SEC);
}

#define FLEET 1000u
#define SECONDS 64u

/* When the agents of a manager that went away for so long arrive at it: a histogram by seconds. */
static void simulate(GRand *rand, uint64_t away_usec, unsigned histogram[static SECONDS]) {
    memset(histogram, 0, SECONDS * sizeof(histogram[0]));
    for (unsigned i = 0; i < FLEET; i++) {
        BackoffCause cause = BACKOFF_ENDED;
        uint64_t now = 0;
        Backoff b;

        backoff_init(&b, USEC_PER_SEC, 300 * USEC_PER_SEC);
        do {
            now += backoff_next(&b, cause, 0, g_rand_int(rand));
            cause = BACKOFF_FAILED; /* the port is closed */
        } while (now < away_usec);
        histogram[MIN((now - away_usec) / USEC_PER_SEC, SECONDS - 1)]++;
    }
}

/* What a manager can bear is not known; half of all in the worst second is no wave any more. */
static void test_fleet(void) {
    static const unsigned aways_sec[] = {0, 2, 10, 60, 600};
    g_autoptr(GRand) rand = g_rand_new_with_seed(104);

    for (size_t i = 0; i < ELEMENTSOF(aways_sec); i++) {
        unsigned histogram[SECONDS], n = 0, worst = 0;

        simulate(rand, aways_sec[i] * USEC_PER_SEC, histogram);
        g_test_message("manager away for %u s: agents of %u that come in each second after:",
                       aways_sec[i], FLEET);
        for (unsigned s = 0; s < SECONDS; s++) {
            n += histogram[s];
            worst = MAX(worst, s < SECONDS - 1 ? histogram[s] : 0);
            if (histogram[s] > 0)
                g_test_message("%3u%s %4u %.*s", s, s == SECONDS - 1 ? "+" : " ", histogram[s],
                               (int)(histogram[s] / 10),
                               "##########################################################"
                               "##########################################");
        }
        g_assert_cmpuint(n, ==, FLEET);
        g_assert_cmpuint(worst, <=, FLEET / 2);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backoff/doubling", test_doubling);
    g_test_add_func("/backoff/no-overflow", test_no_overflow);
    g_test_add_func("/backoff/jitter", test_jitter);
    g_test_add_func("/backoff/forced", test_forced);
    g_test_add_func("/backoff/forced-and-backoff", test_forced_and_backoff);
    g_test_add_func("/backoff/short-connections", test_short_connections);
    g_test_add_func("/backoff/ended", test_ended);
    g_test_add_func("/backoff/fleet", test_fleet);
    return g_test_run();
}
