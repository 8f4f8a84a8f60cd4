/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the life of a request on the manager's side, in every state and event. */
#include <glib.h>

#include "dcm-manager/limits.h"
#include "dcm-manager/order.h"

static void test_table(void) {
    for (OrderState s = 0; s < _ORDER_STATE_MAX; s++) {
        g_assert_cmpint(order_next(s, ORDER_EVENT_REPLY), ==, ORDER_REPLIED);
        for (OrderEvent e = 0; e < _ORDER_EVENT_MAX; e++) {
            OrderState next = order_next(s, e);

            g_assert_nonnull(order_state_to_string(next));
            /* a reply is never lost, what was acknowledged is never sent again */
            g_assert_true(s != ORDER_REPLIED || next == ORDER_REPLIED);
            g_assert_true(s != ORDER_ACKED || !order_is_open(next));
            /* each event a second time changes nothing */
            g_assert_true(e == ORDER_EVENT_SENT || order_next(next, e) == next);
        }
    }
    g_assert_cmpint(order_next(ORDER_NACKED, ORDER_EVENT_SUBMIT), ==, ORDER_QUEUED);
    g_assert_cmpint(order_next(ORDER_NACKED, ORDER_EVENT_ACK), ==, ORDER_ACKED);
    g_assert_cmpint(order_next(ORDER_QUEUED, ORDER_EVENT_ACK), ==, ORDER_ACKED);
}

static void test_names(void) {
    for (OrderState s = 0; s < _ORDER_STATE_MAX; s++)
        g_assert_cmpint(order_state_from_string(order_state_to_string(s)), ==, s);
    g_assert_cmpint(order_state_from_string("x"), ==, _ORDER_STATE_INVALID);
    g_assert_null(order_state_to_string(_ORDER_STATE_MAX));
}

static void test_wait(void) {
    uint64_t wait = 5 * USEC_PER_SEC;

    for (unsigned i = 0; i < 10; i++)
        wait = order_next_wait(wait);
    g_assert_cmpuint(order_next_wait(5 * USEC_PER_SEC), ==, 10 * USEC_PER_SEC);
    g_assert_cmpuint(wait, ==, 60 * USEC_PER_SEC);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager/order/table", test_table);
    g_test_add_func("/manager/order/names", test_names);
    g_test_add_func("/manager/order/wait", test_wait);
    return g_test_run();
}
