/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that figures of the machine are read rightly from texts of proc(5), refused from others,
 * and that the load is a percentage whatever the counters do. */
#include <glib.h>

#include "system/proc.h"

static void test_cpu_times(void) {
    static const struct {
        const char *text;
        int result;
        uint64_t busy, total;
    } cases[] = {
        {"cpu  10 20 30 400 50 6 7 8 100 200\ncpu0 1 1 1 1\n", 0, 81, 531},
        {"cpu 1 2 3 4\n", 0, 6, 10},
        {"cpu 1 2 3 4 5\n", 0, 6, 15},
        {"cpu 1 2 3\n", -EBADMSG},
        {"cpu x\n", -EBADMSG},
        {"intr 1 2 3 4\n", -EBADMSG},
        {"", -EBADMSG},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        CpuTimes t = {};

        g_assert_cmpint(cpu_times_parse(cases[i].text, &t), ==, cases[i].result);
        g_assert_cmpuint(t.busy, ==, cases[i].busy);
        g_assert_cmpuint(t.total, ==, cases[i].total);
    }
}

static void test_memory(void) {
    static const struct {
        const char *text;
        int result;
        uint64_t total, used;
    } cases[] = {
        {"MemTotal:        2000 kB\nMemFree:          500 kB\nMemAvailable:    1500 kB\n", 0,
         2000 * 1024, 1500 * 1024},
        {"X: 1 kB\nMemFree: 1 kB\nMemTotal: 4 kB\n", 0, 4096, 3072},
        {"MemTotal: 10 kB\nMemFree: 20 kB\n", 0, 10240, 0},
        {"MemTotal: 0 kB\nMemFree: 0 kB\n", 0, 0, 0},
        {"MemTotal: 10 kB\n", -EBADMSG},
        {"MemFree: 10 kB\n", -EBADMSG},
        {"MemTotal: x kB\nMemFree: 1 kB\n", -EBADMSG},
        {"XMemTotal: 1 kB\nMemFree: 1 kB\n", -EBADMSG},
        {"", -EBADMSG},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        MemoryUse m = {};

        g_assert_cmpint(memory_use_parse(cases[i].text, &m), ==, cases[i].result);
        g_assert_cmpuint(m.total_bytes, ==, cases[i].total);
        g_assert_cmpuint(m.used_bytes, ==, cases[i].used);
    }
}

static void test_load(void) {
    static const struct {
        CpuTimes before, after;
        double percent;
    } cases[] = {
        {{0, 0}, {50, 100}, 50},      {{10, 100}, {10, 200}, 0},
        {{10, 100}, {110, 200}, 100}, {{10, 100}, {35, 200}, 25},
        {{10, 100}, {10, 100}, 0},    {{10, 100}, {5, 200}, 0}, /* counters went back */
        {{10, 100}, {20, 90}, 0},     {{0, 0}, {200, 100}, 100},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        g_assert_cmpfloat_with_epsilon(cpu_load_percent(&cases[i].before, &cases[i].after),
                                       cases[i].percent, 1e-9);
}

static void test_here(void) {
    CpuTimes t;
    MemoryUse m;
    unsigned n = 0;

    g_assert_cmpint(cpu_times_read(&t), ==, 0);
    g_assert_cmpuint(t.total, >=, t.busy);
    g_assert_cmpint(memory_use_read(&m), ==, 0);
    g_assert_cmpuint(m.total_bytes, >, m.used_bytes);
    g_assert_cmpint(process_count_read(&n), ==, 0);
    g_assert_cmpuint(n, >, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/proc/cpu-times", test_cpu_times);
    g_test_add_func("/proc/memory", test_memory);
    g_test_add_func("/proc/load", test_load);
    g_test_add_func("/proc/here", test_here);
    return g_test_run();
}
