/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a text that is shortened ends with a whole character, wherever the end falls, and
 * that a text that fits is left alone. */
#include <glib.h>

#include "basic/utf8.h"

/* characters of one to four bytes */
static const char sample[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";

/* Bytes of the sample that whole characters within n have. */
static size_t expected(size_t n) {
    static const size_t ends[] = {0, 1, 3, 6, 10, 11};
    size_t found = 0;

    for (size_t i = 0; i < ELEMENTSOF(ends); i++)
        if (ends[i] <= n)
            found = ends[i];
    return found;
}

static void test_short(void) {
    for (size_t n = 0; n < sizeof(sample) + 2; n++) {
        g_autofree char *text = g_strdup_printf("%.*s", UTF8_SHORT(sample, n));

        g_assert_cmpuint(strlen(text), ==, expected(n));
        g_assert_cmpint(memcmp(text, sample, strlen(text)), ==, 0);
    }
    g_assert_cmpint(utf8_short(NULL, 5), ==, 0);
}

static void test_format(void) {
    for (size_t size = 1; size < sizeof(sample) + 4; size++) {
        char buf[32];
        int n;

        memset(buf, 'x', sizeof(buf));
        n = utf8_format(buf, size, "%s", sample);
        g_assert_cmpuint(strlen(buf), ==, expected(size - 1));
        g_assert_cmpint(n, ==, strlen(buf));
        g_assert_cmpint(buf[size], ==, 'x');
        g_assert_true(g_utf8_validate(buf, -1, NULL));
    }
}

/* What is no UTF-8 is not made worse, and a continuation alone is nothing to be searched for. */
static void test_invalid(void) {
    char buf[4];

    g_assert_cmpint(utf8_format(buf, sizeof(buf), "\xff\xfe\xfd"), ==, 3);
    g_assert_cmpint(utf8_format(buf, sizeof(buf), "\x80\x80\x80\x80\x80"), <=, 3);
    g_assert_cmpint(utf8_format(buf, 1, "\xc3\xa4"), ==, 0);
    g_assert_cmpstr(buf, ==, "");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/utf8/short", test_short);
    g_test_add_func("/utf8/format", test_format);
    g_test_add_func("/utf8/invalid", test_invalid);
    return g_test_run();
}
