/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a text of a command's file takes the values of its arguments, and that a mistake in
 * it is found before there are any. */
#include <glib.h>

#include "site/template.h"

static const Argument arguments[] = {
    {"text", ARGUMENT_STRING},
    {"number", ARGUMENT_INTEGER},
    {"flag", ARGUMENT_BOOL},
    {"list", ARGUMENT_LIST},
    {"bytes", ARGUMENT_BASE64},
    {"key", ARGUMENT_STRING, .secret = true},
    {"address", ARGUMENT_STRING, .source = ARGUMENT_FROM_ADDRESS},
};
#define N ELEMENTSOF(arguments)

static void test_expansion(void) {
    static const struct {
        const char *text, *expected, *unset;
    } cases[] = {
        {"", "", ""},
        {"plain, text?", "plain, text?", "plain, text?"},
        {"{text}", "a{b}", ""},
        {"<{text}|{text}>", "<a{b}|a{b}>", "<|>"},
        {"c{number:03}", "c007", "c"},
        {"{number}/{number:01}", "7/7", "/"},
        {"{flag}", "true", ""},
        {"-{flag?--all {x}", NULL, NULL},
        {"{flag?--all}", "--all", ""},
        {"{flag?}", "", ""},
        {"{flag?a:b?c}", "a:b?c", ""},
        {"{address}", "192.0.2.7", ""},
    };
    ArgumentValue values[N] = {
        {.is_set = true, .string = (char[]){"a{b}"}},
        {.is_set = true, .integer = 7},
        {.is_set = true, .boolean = true},
        [6] = {.is_set = true, .string = (char[]){"192.0.2.7"}},
    };
    const ArgumentValue unset[N] = {};

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *text = NULL, *without = NULL;

        if (!cases[i].expected) {
            g_assert_cmpint(template_check(cases[i].text, arguments, N, true), ==, -EINVAL);
            continue;
        }
        g_assert_cmpint(template_check(cases[i].text, arguments, N, true), ==, 0);
        g_assert_cmpint(template_expand(cases[i].text, arguments, values, N, &text), ==, 0);
        g_assert_cmpstr(text, ==, cases[i].expected);
        g_assert_cmpint(template_expand(cases[i].text, arguments, unset, N, &without), ==, 0);
        g_assert_cmpstr(without, ==, cases[i].unset);
    }
}

static void test_mistakes(void) {
    static const char *const texts[] = {
        "{",           "}",          "{}",         "{text",      "{tex}",       "{texts}",
        "{text?x}",    "{text:03}",  "{number:3}", "{number:0}", "{number:00}", "{number:012}",
        "{number:0x}", "{number?x}", "{flag:03}",  "{flag?{x}}", "{list}",      "{bytes}",
        "{key}",       "x{key}",     "{number:03", "{ text}",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        g_test_message("%s", texts[i]);
        g_assert_cmpint(template_check(texts[i], arguments, N, true), ==, -EINVAL);
    }
    g_assert_cmpint(template_check("{address}", arguments, N, false), ==, -EINVAL);
    g_assert_cmpint(template_check("text", NULL, 0, true), ==, 0);
    g_assert_cmpint(template_check("{x}", NULL, 0, true), ==, -EINVAL);
}

static void test_single_argument(void) {
    g_assert_true(template_is_argument("{list}", arguments, N) == &arguments[3]);
    g_assert_true(template_is_argument("{key}", arguments, N) == &arguments[5]);
    g_assert_null(template_is_argument("{number:03}", arguments, N));
    g_assert_null(template_is_argument("{flag?x}", arguments, N));
    g_assert_null(template_is_argument("{text}{text}", arguments, N));
    g_assert_null(template_is_argument("x", arguments, N));
    g_assert_null(template_is_argument("{none}", arguments, N));
    g_assert_null(template_is_argument("{", arguments, N));
    g_assert_null(template_is_argument("{}", arguments, N));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/template/expansion", test_expansion);
    g_test_add_func("/template/mistakes", test_mistakes);
    g_test_add_func("/template/single-argument", test_single_argument);
    return g_test_run();
}
