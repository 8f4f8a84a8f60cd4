/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that whatever bytes go in, valid UTF-8 comes out, cut at characters; and that percent
 * coding is that of RFC 3986 and reversible. */
#include <glib.h>

#include "proto/text.h"

#define R "\xef\xbf\xbd"

static void test_replace(void) {
    static const struct {
        const char *in;
        size_t size;
        const char *out;
    } cases[] = {
        {"", 0, ""},
        {"abc", 3, "abc"},
        {"abc", 2, "ab"},
        {"\x7f\t\n", 3, "\x7f\t\n"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\0b", 3, "a" R "b"},
        {"\xc3\xa4", 1, R},
        {"\xe2\x82\xac", 2, R R},
        {"\xf0\x9f\x98\x80", 3, R R R},
        {"\x80", 1, R},
        {"\xff\xfe", 2, R R},
        {"\xc3(", 2, R "("},
        {"\xc0\xaf", 2, R R},       /* overlong / */
        {"\xc1\xbf", 2, R R},       /* overlong */
        {"\xe0\x9f\xbf", 3, R R R}, /* overlong */
        {"\xe0\xa0\x80", 3, "\xe0\xa0\x80"},
        {"\xed\x9f\xbf", 3, "\xed\x9f\xbf"},
        {"\xed\xa0\x80", 3, R R R},       /* surrogate */
        {"\xf0\x8f\xbf\xbf", 4, R R R R}, /* overlong */
        {"\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf"},
        {"\xf4\x90\x80\x80", 4, R R R R}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 4, R R R R},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *out = NULL;

        g_assert_cmpint(utf8_replace_invalid(cases[i].in, cases[i].size, &out), ==, 0);
        g_assert_cmpstr(out, ==, cases[i].out);
    }
}

/* GLib's own validator agrees, for every pair and triple of bytes at the edges. */
static void test_replace_exhaustive(void) {
    for (unsigned n = 0; n < 1u << 16; n++) {
        const char in[] = {(char)(n >> 8), (char)n, (char)0x80, (char)0xbf};
        _cleanup_free_ char *out = NULL;

        g_assert_cmpint(utf8_replace_invalid(in, sizeof(in), &out), ==, 0);
        g_assert_true(g_utf8_validate(out, -1, NULL));
        g_assert_cmpint(utf8_is_valid(in, sizeof(in)), ==, g_utf8_validate(in, sizeof(in), NULL));
        if (g_utf8_validate(in, sizeof(in), NULL))
            g_assert_cmpmem(in, sizeof(in), out, strlen(out));
        else
            g_assert_nonnull(strstr(out, R));
    }
}

static void test_cut(void) {
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};

    for (size_t n = 0; n < ELEMENTSOF(expected); n++)
        g_assert_cmpuint(utf8_cut(text, n), ==, expected[n]);
}

static void test_percent_encode(void) {
    static const struct {
        const char *in;
        size_t max;
        const char *out;
    } cases[] = {
        {"", 10, ""},
        {"azAZ09_.-~/", 100, "azAZ09_.-~/"},
        {"a b", 100, "a%20b"},
        {"100%", 100, "100%25"},
        {"\xc3\xa4\n", 100, "%C3%A4%0A"},
        {"a\xc3\xa4", 2, "a"},
        {"abcdef", 3, "abc"},
        {"abcdef", 0, ""},
        {"!\"#$&'()*+,:;<=>?@[]^`{|}\\", 100,
         "%21%22%23%24%26%27%28%29%2A%2B%2C%3A%3B%3C%3D%3E%3F%40%5B%5D%5E%60%7B%7C%7D%5C"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *out = NULL;

        g_assert_cmpint(percent_encode(cases[i].in, cases[i].max, &out), ==, 0);
        g_assert_cmpstr(out, ==, cases[i].out);
    }
}

static void test_percent_decode(void) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},       {"abc", "abc"},   {"a%20b", "a b"},     {"%c3%A4", "\xc3\xa4"},
        {"%", "%"},     {"%4", "%4"},     {"%4g", "%4g"},       {"%g4", "%g4"},
        {"%%41", "%A"}, {"%2541", "%41"}, {"a%00b", "a" R "b"}, {"%ff", R},
        {"%C3", R},     {"+", "+"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *out = NULL;

        g_assert_cmpint(percent_decode(cases[i].in, &out), ==, 0);
        g_assert_cmpstr(out, ==, cases[i].out);
    }
}

/* What an agent encoded is read, what a script wrote stays as it is. */
static void test_error_text(void) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"the%20policy%20forbids%20it%20%28allow_scripts%29",
         "the policy forbids it (allow_scripts)"},
        {"100% of /a%20b is used", "100% of /a%20b is used"},
        {"a%20b\n", "a%20b\n"},
        {"100%", "100%"},
        {"word", "word"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *out = NULL;

        g_assert_cmpint(error_text_for_people(cases[i].in, &out), ==, 0);
        g_assert_cmpstr(out, ==, cases[i].out);
    }
}

static void test_round_trip(void) {
    for (gunichar c = 1; c <= 0x10ffff; c += c < 0x3000 ? 1 : 97) {
        _cleanup_free_ char *encoded = NULL, *decoded = NULL;
        char text[7] = {};

        if (!g_unichar_validate(c))
            continue;
        g_unichar_to_utf8(c, text);
        g_assert_cmpint(percent_encode(text, sizeof(text), &encoded), ==, 0);
        g_assert_true(g_str_is_ascii(encoded));
        g_assert_cmpint(percent_decode(encoded, &decoded), ==, 0);
        g_assert_cmpstr(decoded, ==, text);
    }
}

/* Noncharacters are text, but libsystemd sends no message that has one. */
static void test_what_the_bus_takes(void) {
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"", ""},
        {"a\303\244\360\237\230\200\357\277\275", "a\303\244\360\237\230\200\357\277\275"},
        {"a\357\277\277b", "a\357\277\275\357\277\275\357\277\275b"},
        {"\357\267\220", "\357\277\275\357\277\275\357\277\275"},
        {"\364\217\277\276", "\357\277\275\357\277\275\357\277\275\357\277\275"},
        {"\377", "\357\277\275"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *clean = NULL;

        g_assert_cmpint(bus_text_new(cases[i].text, &clean), ==, 0);
        g_assert_cmpstr(clean, ==, cases[i].clean);
        g_assert_true(bus_text_is_valid(clean));
        g_assert_cmpint(bus_text_is_valid(cases[i].text), ==, streq(cases[i].text, clean));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/replace", test_replace);
    g_test_add_func("/text/replace-exhaustive", test_replace_exhaustive);
    g_test_add_func("/text/cut", test_cut);
    g_test_add_func("/text/percent-encode", test_percent_encode);
    g_test_add_func("/text/percent-decode", test_percent_decode);
    g_test_add_func("/text/error-text", test_error_text);
    g_test_add_func("/text/round-trip", test_round_trip);
    g_test_add_func("/text/bus", test_what_the_bus_takes);
    return g_test_run();
}
