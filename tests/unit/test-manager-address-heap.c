/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the first address is the right one after any changes, and that a pace allows what it
 * says. */
#include <glib.h>

#include "dcm-manager/address-heap.h"
#include "dcm-manager/pace.h"

#define N 200

static bool has_more(const PeerAddress *a, const PeerAddress *b) {
    return a->n[0] > b->n[0];
}

static unsigned most(const PeerAddress *all) {
    unsigned found = 0;

    for (size_t i = 0; i < N; i++)
        found = MAX(found, all[i].n[0]);
    return found;
}

static void test_order(void) {
    AddressHeap h = {.index = 2, .is_before = has_more};
    PeerAddress all[N] = {};

    g_assert_null(address_heap_first(&h));
    g_assert_cmpint(address_heap_reserve(&h, N), ==, 0);
    for (int i = 0; i < 20000; i++) {
        PeerAddress *a = &all[g_test_rand_int_range(0, N)];

        a->n[0] = g_test_rand_int_range(0, 4) == 0 ? 0 : (unsigned)g_test_rand_int_range(1, 50);
        address_heap_set(&h, a, a->n[0] > 0);
        g_assert_cmpint(a->positions[2] > 0, ==, a->n[0] > 0);
        if (most(all) > 0)
            g_assert_cmpuint(address_heap_first(&h)->n[0], ==, most(all));
        else
            g_assert_null(address_heap_first(&h));
    }
    for (size_t i = 0; i < N; i++)
        address_heap_set(&h, &all[i], false);
    g_assert_cmpuint(h.n, ==, 0);
    address_heap_done(&h);
}

static void test_pace(void) {
    Pace p = {.per_sec = 10}, none = {}, slow = {.per_sec = 0.5};
    uint64_t now = 1000 * USEC_PER_SEC;

    for (int i = 0; i < 1000; i++)
        g_assert_true(pace_take(&none, now));
    for (int i = 0; i < 10; i++)
        g_assert_true(pace_take(&p, now));
    g_assert_false(pace_take(&p, now));
    g_assert_cmpuint(pace_wait_usec(&p, now), >, 0);
    g_assert_cmpuint(pace_wait_usec(&p, now), <=, USEC_PER_SEC / 10 + 1);
    g_assert_false(pace_take(&p, now + USEC_PER_SEC / 20));
    g_assert_true(pace_take(&p, now + USEC_PER_SEC / 10 + 1));
    g_assert_false(pace_take(&p, now + USEC_PER_SEC / 10 + 1));
    now += 3600 * USEC_PER_SEC; /* a calm is worth one second */
    for (int i = 0; i < 10; i++)
        g_assert_true(pace_take(&p, now));
    g_assert_false(pace_take(&p, now));
    g_assert_true(pace_take(&slow, now));
    g_assert_false(pace_take(&slow, now + USEC_PER_SEC));
    g_assert_true(pace_take(&slow, now + 2 * USEC_PER_SEC + 1));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager-address-heap/order", test_order);
    g_test_add_func("/manager-address-heap/pace", test_pace);
    return g_test_run();
}
