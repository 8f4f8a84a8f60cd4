/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a timer is off until it is armed and after it ran out, that UINT64_MAX is never, and
 * that arrays and lists grow as far as they may and stay as they were where they may not. */
#include <glib.h>

#include "basic/array.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "basic/timer.h"

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    ++*(unsigned *)userdata;
    return 0;
}

static void test_timer(void) {
    sd_event_source *timer = NULL;
    sd_event *event = NULL;
    unsigned n = 0;

    g_assert_false(timer_is_armed(NULL));
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    g_assert_cmpint(timer_new(event, 1, on_timer, &n, &timer), ==, 0);
    g_assert_false(timer_is_armed(timer));
    g_assert_cmpuint(timer_get_time(timer), ==, UINT64_MAX);
    g_assert_cmpint(sd_event_run(event, 0), ==, 0);

    for (unsigned i = 1; i <= 2; i++) {
        g_assert_cmpint(timer_arm_in(timer, 0), >=, 0);
        g_assert_true(timer_is_armed(timer));
        g_assert_cmpint(sd_event_run(event, UINT64_MAX), >, 0);
        g_assert_cmpuint(n, ==, i);
        g_assert_false(timer_is_armed(timer));
    }

    g_assert_cmpint(timer_arm(timer, UINT64_MAX - 1), >=, 0);
    g_assert_cmpuint(timer_get_time(timer), ==, UINT64_MAX - 1);
    g_assert_cmpint(timer_arm(timer, UINT64_MAX), >=, 0);
    g_assert_false(timer_is_armed(timer));
    g_assert_cmpint(timer_arm_in(timer, USEC_PER_SEC), >=, 0);
    g_assert_cmpuint(timer_get_time(timer), >, now_usec(CLOCK_BOOTTIME) - USEC_PER_SEC);
    g_assert_cmpint(timer_arm_in(timer, UINT64_MAX), >=, 0);
    g_assert_false(timer_is_armed(timer));
    g_assert_cmpint(timer_arm_in(timer, 0), >=, 0);
    timer_disarm(timer);
    g_assert_cmpint(sd_event_run(event, 0), ==, 0);
    g_assert_cmpuint(n, ==, 2);
    sd_event_source_disable_unref(timer);
    sd_event_unref(event);
}

/* AddressSanitizer would end a program that asks for too much. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void test_array(void) {
    volatile size_t too_many = SIZE_MAX / 2; /* that the compiler does not know */
    size_t allocated = 0;
    int *items = NULL, *before;

    for (size_t n = 0; n < 20; n++) {
        g_assert_cmpint(array_reserve(&items, &allocated, n + 1, 20), ==, 0);
        g_assert_cmpuint(allocated, >, n);
        g_assert_cmpuint(allocated, <=, 20);
        items[n] = (int)n;
    }
    before = items;
    g_assert_cmpint(array_reserve(&items, &allocated, 21, 20), ==, -ENOBUFS);
    g_assert_cmpint(array_reserve(&items, &allocated, too_many, SIZE_MAX), ==, -ENOMEM);
    g_assert_true(items == before);
    g_assert_cmpuint(allocated, ==, 20);
    for (int n = 0; n < 20; n++)
        g_assert_cmpint(items[n], ==, n);
    free(items);
}

static void test_list(void) {
    char **list = NULL;
    size_t n = 0;

    g_assert_cmpint(strv_push(&list, &n, NULL), ==, -ENOMEM);
    g_assert_null(list);
    g_assert_cmpint(strv_push(&list, &n, strdup("a")), ==, 0);
    g_assert_cmpint(strv_push(&list, &n, strdup("b")), ==, 0);
    g_assert_cmpint(strv_push(&list, &n, NULL), ==, -ENOMEM);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpstr(list[0], ==, "a");
    g_assert_cmpstr(list[1], ==, "b");
    g_assert_null(list[2]);
    strv_free(list);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/basic/timer", test_timer);
    g_test_add_func("/basic/array", test_array);
    g_test_add_func("/basic/list", test_list);
    return g_test_run();
}
