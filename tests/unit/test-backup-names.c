/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that names of objects are those of the Python agent to the letter, that a series has its
 * own objects and no others, and what the first bytes of an object say. */
#include <glib.h>

#include "backup/content.h"
#include "backup/object-name.h"
#include "basic/time-util.h"

#define TIME_USEC UINT64_C(1733011199123456) /* 2024-11-30 23:59:59.123456 UTC */
#define STAMP "20241130.235959.123456"

static const struct {
    SeriesKind kind;
    const char *service, *name, *object, *id;
} names[] = {
    {SERIES_DATA_SOURCE, "a12", "My DB_1.x", "a12-mydb1x-" STAMP ".zip", "data_source-a12-mydb1x"},
    {SERIES_DATA_SOURCE, "a12", "ÄB", "a12-b-" STAMP ".zip", "data_source-a12-b"},
    {SERIES_DATA_SOURCE, "a12", "--", "a12--" STAMP ".zip", "data_source-a12-"},
    {SERIES_SERVICE, "a12", NULL, "a12-" STAMP, "service-a12"},
    {SERIES_PATHS, NULL, "etc.x", "etc.x-" STAMP ".tar", "paths-etc.x"},
};

static void test_names(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *object = NULL;
        uint64_t time = 0;
        Series s;

        g_assert_cmpint(series_init(names[i].kind, names[i].service, names[i].name, &s), ==, 0);
        g_assert_cmpint(series_object(&s, TIME_USEC, &object), ==, 0);
        g_assert_cmpstr(object, ==, names[i].object);
        g_assert_cmpstr(s.id, ==, names[i].id);
        for (size_t j = 0; j < G_N_ELEMENTS(names); j++)
            g_assert_cmpint(series_has(&s, names[j].object, &time), ==, i == j);
        g_assert_cmpint(series_has(&s, object, &time), ==, true);
        g_assert_cmpuint(time, ==, TIME_USEC);
        series_done(&s);
    }
}

/* What only looks like an object of the service a. */
static void test_others(void) {
    static const char *const others[] = {
        "",
        "a",
        "a-",
        "a-" STAMP "0",
        "a-2024113.235959.123456",
        "a-20241131.235959.123456",
        "a-20241130.245959.123456",
        "a-20241130.236059.123456",
        "a-20241130.235960.123456",
        "a-20240230.000000.000000",
        "a-20241300.000000.000000",
        "a-20241130-235959.123456",
        "a-+0241130.235959.123456",
        "a-19691231.235959.999999",
        "a-" STAMP ".zip",
        "a-b-" STAMP,
        "b-" STAMP,
        ".a-" STAMP,
    };
    uint64_t time;
    Series s;

    g_assert_cmpint(series_init(SERIES_SERVICE, "a", NULL, &s), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (series_has(&s, others[i], &time))
            g_error("%s", others[i]);
    g_assert_true(series_has(&s, "a-20240229.000000.000000", &time));
    g_assert_true(series_has(&s, "a-19700101.000000.000000", &time));
    series_done(&s);
}

/* Any time becomes a text that is the same time again, and sorts like it. */
static void test_stamps(void) {
    char text[STAMP_SIZE], last[STAMP_SIZE] = "";
    const uint64_t last_second = sizeof(time_t) < 8 ? INT32_MAX : UINT64_MAX / USEC_PER_SEC;
    uint64_t time = 0, again;

    for (unsigned i = 0; i < 100000 && time / USEC_PER_SEC <= last_second; i++) {
        stamp_format(time, text);
        g_assert_true(stamp_parse(text, strlen(text), &again));
        g_assert_cmpuint(again, ==, time);
        g_assert_cmpstr(last, <, text);
        memcpy(last, text, sizeof(last));
        time += (uint64_t)g_random_int() * 300 + 1;
    }
    stamp_format(UINT64_MAX, text);
    g_assert_cmpuint(strlen(text), ==, STAMP_SIZE - 1);
}

static void test_content(void) {
    char tar[512] = "name";

    memcpy(tar + 257, "ustar", 5);
    g_assert_cmpint(content_type_of("age-encryption.org/v1\n-> X25519", 30), ==, CONTENT_AGE);
    g_assert_cmpint(content_type_of("age-encryption.org/v2\n", 22), ==, CONTENT_OTHER);
    g_assert_cmpint(content_type_of("\x28\xb5\x2f\xfd", 4), ==, CONTENT_ZSTD);
    g_assert_cmpint(content_type_of("\x28\xb5\x2f\xfd", 3), ==, CONTENT_OTHER);
    g_assert_cmpint(content_type_of("\x50\x2a\x4d\x18\x0c\0\0\0dcm-backup/1", 20), ==,
                    CONTENT_ZSTD_OURS);
    g_assert_cmpint(content_type_of("\x50\x2a\x4d\x18\x0c\0\0\0dcm-backup/2", 20), ==,
                    CONTENT_OTHER);
    g_assert_cmpint(content_type_of("PK\003\004", 4), ==, CONTENT_ZIP);
    g_assert_cmpint(content_type_of("\x1f\x8b\x08", 3), ==, CONTENT_GZIP);
    g_assert_cmpint(content_type_of(tar, sizeof(tar)), ==, CONTENT_TAR);
    g_assert_cmpint(content_type_of(tar, 261), ==, CONTENT_OTHER);
    g_assert_cmpint(content_type_of("", 0), ==, CONTENT_OTHER);
    g_assert_cmpstr(content_type_name(CONTENT_AGE), ==, "age");
}

/* What GNU tar puts at the beginning: with attributes, and without. */
static void test_root(void) {
    static const struct {
        const char *name;
        bool is_root;
    } cases[] = {{"./", true},
                 {"./PaxHeaders/.", true},
                 {"./PaxHeaders.4711/.", true},
                 {"./PaxHeaders/data", false},
                 {"./PaxHeaders", false},
                 {"data/", false},
                 {"x/PaxHeaders/y", false},
                 {"", false}};
    char tar[512];

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        memset(tar, 0, sizeof(tar));
        (void)g_strlcpy(tar, cases[i].name, sizeof(tar));
        g_assert_cmpint(content_is_root(tar, sizeof(tar)), ==, cases[i].is_root);
        g_assert_cmpint(content_is_root(tar, strlen(tar)), ==, cases[i].is_root);
    }
    memset(tar, '.', sizeof(tar));
    g_assert_false(content_is_root(tar, sizeof(tar)));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/names", test_names);
    g_test_add_func("/backup/names/others", test_others);
    g_test_add_func("/backup/names/stamps", test_stamps);
    g_test_add_func("/backup/content", test_content);
    g_test_add_func("/backup/content/root", test_root);
    return g_test_run();
}
