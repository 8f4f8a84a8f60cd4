/* SPDX-License-Identifier: Apache-2.0 */
/* Proves how times, spans and sizes are written, and which points in time --since takes. */
#include <glib.h>
#include <time.h>

#include "basic/bounds.h"
#include "cli/format.h"
#include "cli/since.h"

/* Tue 2026-12-01 03:49:15 UTC */
#define NOW ((uint64_t)1796096955 * USEC_PER_SEC)

static void test_format(void) {
    static const struct {
        uint64_t usec;
        const char *text;
    } spans[] = {
        {0, "0ms"},
        {850 * USEC_PER_MSEC, "850ms"},
        {12340 * USEC_PER_MSEC, "12.3s"},
        {60 * USEC_PER_SEC, "1min 0s"},
        {312 * USEC_PER_SEC, "5min 12s"},
        {3 * 86400 * USEC_PER_SEC + 5 * 3600 * USEC_PER_SEC, "3d 5h"},
        {UINT64_MAX, "213503982d 8h"},
    };
    char buf[FORMAT_SIZE];

    for (size_t i = 0; i < ELEMENTSOF(spans); i++)
        g_assert_cmpstr(format_span(spans[i].usec, buf), ==, spans[i].text);
    g_assert_cmpstr(format_time(NOW, buf), ==, "Tue 2026-12-01 03:49:15 UTC");
    g_assert_cmpstr(format_time_short(NOW, buf), ==, "2026-12-01 03:49:15 UTC");
    g_assert_cmpstr(format_time(0, buf), ==, "-");
    g_assert_cmpstr(format_time(UINT64_MAX, buf), ==,
                    sizeof(time_t) < 8 ? "-" : "Wed 586524-01-19 08:01:49 UTC");
    g_assert_cmpstr(format_bytes(0, buf), ==, "0B");
    g_assert_cmpstr(format_bytes(1023, buf), ==, "1023B");
    g_assert_cmpstr(format_bytes(1536, buf), ==, "1.5K");
    g_assert_cmpstr(format_bytes(5.0 * (1 << 30), buf), ==, "5.0G");
    g_assert_cmpuint(strlen(format_bytes(1e300, buf)), ==,
                     FORMAT_SIZE - 1); /* cut, not written past */
}

static void test_since(void) {
    static const struct {
        const char *text;
        int64_t before; /* s before NOW */
    } good[] = {
        {"now", 0},
        {"today", 3 * 3600 + 49 * 60 + 15},
        {"yesterday", 86400 + 3 * 3600 + 49 * 60 + 15},
        {"-1h", 3600},
        {"1h ago", 3600},
        {"-1h 30min", 5400},
        {"90s ago", 90},
        {"-1.5d", 129600},
        {"2w ago", 1209600},
        {"03:49", 15},
        {"03:49:14", 1},
        {"2026-12-01", 3 * 3600 + 49 * 60 + 15},
        {"2026-12-01 03:00", 49 * 60 + 15},
        {"2026-11-30 03:49:15", 86400},
    };
    static const char *const bad[] = {
        "",       "1h",         "ago",          "-ago", "tomorrow", "-1",    "1x ago", "-1h ago",
        "24:00x", "2026-13-01", "2026-12-01 3", "-",    "-1e99d",   "-nand", "h ago"};
    uint64_t usec;

    for (size_t i = 0; i < ELEMENTSOF(good); i++) {
        g_test_message("%s", good[i].text);
        g_assert_cmpint(since_parse(good[i].text, NOW, &usec), ==, 0);
        g_assert_cmpint(usec, ==, NOW - (uint64_t)good[i].before * USEC_PER_SEC);
    }
    for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
        g_test_message("%s", bad[i]);
        g_assert_cmpint(since_parse(bad[i], NOW, &usec), ==, -EINVAL);
    }
    g_assert_cmpint(since_parse("-60w", 5, &usec), ==, 0); /* before the epoch */
    g_assert_cmpuint(usec, ==, 0);
}

int main(int argc, char *argv[]) {
    g_setenv("TZ", "UTC", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/format", test_format);
    g_test_add_func("/cli/since", test_since);
    return g_test_run();
}
