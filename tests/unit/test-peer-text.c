/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what a peer's texts may be: 512 bytes of valid UTF-8 without any control character, at
 * whatever depth they stand, names of keys included. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/peer-text.h"

#define CONTROL "has control characters"
#define INVALID "is not valid UTF-8"
#define LONG "is longer than 512 bytes"
#define NO_TEXT "is not a text"

static void test_alphabet(void) {
    static const struct {
        const char *text;
        size_t size;
        const char *fault;
    } cases[] = {
        {"", 0, NULL},
        {"web 1", 5, NULL},
        {"a/b\\\"%$=", 8, NULL},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, NULL},
        {"\xc2\xa0", 2, NULL}, /* U+00A0 is the first after C1 */
        {"\x7e", 1, NULL},
        {"a\nWATCHDOG=trigger", 18, CONTROL},
        {"\t", 1, CONTROL},
        {"\r", 1, CONTROL},
        {"\x1b[31m", 5, CONTROL},
        {"\x1f", 1, CONTROL},
        {"\x7f", 1, CONTROL},
        {"\xc2\x80", 2, CONTROL},
        {"\xc2\x9b"
         "31m",
         5, CONTROL},
        {"\xc2\x9f", 2, CONTROL},
        {"a\0b", 3, CONTROL},
        {"\xff", 1, INVALID},
        {"\xc2", 1, INVALID},
        {"\xc0\x8a", 2, INVALID},     /* overlong newline */
        {"\xed\xa0\x80", 3, INVALID}, /* surrogate */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        g_assert_cmpstr(peer_text_fault(cases[i].text, cases[i].size), ==, cases[i].fault);
}

/* Every single character of Unicode: refused are those that GLib calls controls (Cc), no others. */
static void test_every_character(void) {
    for (gunichar c = 1; c <= 0x10ffff; c++) {
        char text[6];

        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        g_assert_cmpint(!peer_text_fault(text, (size_t)g_unichar_to_utf8(c, text)), ==,
                        g_unichar_type(c) != G_UNICODE_CONTROL);
    }
}

static void test_length(void) {
    char text[PEER_TEXT_MAX + 1];

    memset(text, 'x', sizeof(text));
    g_assert_cmpuint(PEER_TEXT_MAX, ==, 512);
    g_assert_null(peer_text_fault(text, PEER_TEXT_MAX));
    g_assert_cmpstr(peer_text_fault(text, PEER_TEXT_MAX + 1), ==, LONG);
}

static void test_take(void) {
    static const struct {
        const char *json, *value, *fault;
    } cases[] = {
        {"{}", NULL, NULL},
        {"{\"k\":null}", NULL, NULL},
        {"{\"k\":\"\"}", NULL, NULL},
        {"{\"k\":\"web1\"}", "web1", NULL},
        {"{\"k\":42}", "42", NULL},
        {"{\"k\":-1.5}", "-1.5", NULL},
        {"{\"k\":true}", NULL, NO_TEXT},
        {"{\"k\":[\"web1\"]}", NULL, NO_TEXT},
        {"{\"k\":{}}", NULL, NO_TEXT},
        {"{\"k\":\"a\\nb\"}", NULL, CONTROL},
        {"{\"k\":\"a\\u0000b\"}", NULL, CONTROL},
        {"{\"k\":\"\\u0000\"}", NULL, CONTROL},
        {"{\"k\":\"\\u009b\"}", NULL, CONTROL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_json_ struct json_object *o = NULL;
        const char *value = "untouched";

        g_assert_cmpint(json_parse(cases[i].json, strlen(cases[i].json), &o), ==, 0);
        g_assert_cmpstr(peer_text_take(o, "k", &value), ==, cases[i].fault);
        g_assert_cmpstr(value, ==, cases[i].value);
    }
}

static void test_within(void) {
    static const struct {
        const char *json, *fault;
    } cases[] = {
        {"null", NULL},
        {"{\"plugins\":[\"a\",1,true,null,{\"b\":\"c\"}]}", NULL},
        {"[\"\\n\"]", CONTROL},
        {"[[[{\"a\":[\"\\u0085\"]}]]]", CONTROL},
        {"{\"a\\u001b\":1}", CONTROL},
        {"{\"a\":{\"b\\n\":null}}", CONTROL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_json_ struct json_object *o = NULL;

        g_assert_cmpint(json_parse(cases[i].json, strlen(cases[i].json), &o), ==, 0);
        g_assert_cmpstr(peer_text_fault_within(o), ==, cases[i].fault);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/peer-text/alphabet", test_alphabet);
    g_test_add_func("/peer-text/every-character", test_every_character);
    g_test_add_func("/peer-text/length", test_length);
    g_test_add_func("/peer-text/take", test_take);
    g_test_add_func("/peer-text/within", test_within);
    return g_test_run();
}
