/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that Varlink calls are read and answers written as https://varlink.org/Method-Call says,
 * and that a program's own calls and answers fit together. */
#include <glib.h>

#include "proto/varlink.h"

static int parse(const char *text, VarlinkCall *ret) {
    return varlink_call_parse(text, strlen(text), ret);
}

static void test_call(void) {
    VarlinkCall c;

    g_assert_cmpint(parse("{\"method\":\"a.b.C\"}", &c), ==, 0);
    g_assert_cmpstr(c.method, ==, "a.b.C");
    g_assert_true(!c.parameters && !c.oneway && !c.more);
    varlink_call_done(&c);
    g_assert_cmpint(parse("{\"method\":\"a.C\",\"parameters\":{\"x\":1},\"oneway\":true,"
                          "\"more\":false,\"unknown\":[]}",
                          &c),
                    ==, 0);
    g_assert_true(c.oneway && !c.more);
    g_assert_cmpint(json_object_get_int(json_get(c.parameters, "x")), ==, 1);
    varlink_call_done(&c);
}

static void test_no_call(void) {
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"method\":1}",
        "{\"method\":\"nodot\"}",
        "{\"method\":\"a.B\",\"parameters\":[]}",
        "{\"method\":\"a.B\",\"oneway\":1}",
        "{\"method\":\"a.B\"} x",
        "{\"method\":\"a.B\",\"more\":\"true\"}",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        VarlinkCall c;

        g_test_message("%s", texts[i]);
        g_assert_cmpint(parse(texts[i], &c), ==, -EBADMSG);
    }
}

static void test_answers(void) {
    g_autofree char *error = NULL;
    char *text = NULL;
    size_t size;

    g_assert_cmpint(varlink_reply_encode(NULL, &text, &size), ==, 0);
    g_assert_cmpmem(text, size, "{\"parameters\":{}}", 18);
    g_assert_cmpint(varlink_answer_parse(text, size - 1, &error), ==, 0);
    g_clear_pointer(&text, free);
    g_assert_cmpint(varlink_error_encode("a.B", NULL, &text, &size), ==, 0);
    g_assert_cmpstr(text, ==, "{\"error\":\"a.B\"}");
    g_assert_cmpint(varlink_answer_parse(text, size - 1, &error), ==, -EREMOTEIO);
    g_assert_cmpstr(error, ==, "a.B");
    g_clear_pointer(&text, free);
    g_assert_cmpint(varlink_answer_parse("[]", 2, &error), ==, -EBADMSG);
    g_assert_cmpint(varlink_answer_parse("{", 1, &error), ==, -EBADMSG);
}

static void test_own_call(void) {
    struct json_object *parameters = json_object_new_object();
    char *text = NULL;
    VarlinkCall c;
    size_t size;

    g_assert_cmpint(json_add_string(parameters, "line", "a\"\n"), ==, 0);
    g_assert_cmpint(varlink_call_encode("x.Y", parameters, &text, &size), ==, 0);
    g_assert_cmpint(text[size - 1], ==, 0);
    g_assert_cmpint(varlink_call_parse(text, size - 1, &c), ==, 0);
    g_assert_cmpstr(json_get_string(c.parameters, "line"), ==, "a\"\n");
    varlink_call_done(&c);
    free(text);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/varlink/call", test_call);
    g_test_add_func("/varlink/no-call", test_no_call);
    g_test_add_func("/varlink/answers", test_answers);
    g_test_add_func("/varlink/own-call", test_own_call);
    return g_test_run();
}
