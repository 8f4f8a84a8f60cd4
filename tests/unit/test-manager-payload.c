/* SPDX-License-Identifier: Apache-2.0 */
/* Proves how command lines become arguments of a command. */
#include <glib.h>

#include "dcm-manager/payload.h"

static void check(const char *text, const char *expected) {
    struct json_object *o = json_object_new_object();

    g_assert_cmpint(payload_add_argument(o, text), ==, 0);
    g_assert_cmpstr(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), ==, expected);
    json_object_put(o);
}

static void test_arguments(void) {
    static const char *const bad[] = {"", "name", "=value", ":=1", "a:=", "a:={", "a:=[1]x"};
    struct json_object *o = json_object_new_object();

    check("a=b", "{\"a\":\"b\"}");
    check("a=", "{\"a\":\"\"}");
    check("a=b=c", "{\"a\":\"b=c\"}");
    check("a=b:=c", "{\"a\":\"b:=c\"}");
    check("a:=1", "{\"a\":1}");
    check("a:=null", "{\"a\":null}");
    check("a:=[\"x\",true]", "{\"a\":[\"x\",true]}");
    check("a:=\"b=c\"", "{\"a\":\"b=c\"}");
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_cmpint(payload_add_argument(o, bad[i]), ==, -EINVAL);
    g_assert_cmpint(json_object_object_length(o), ==, 0);
    json_object_put(o);
}

static void test_script(void) {
    struct json_object *o = json_object_new_object(), *payload = NULL;

    g_assert_cmpint(payload_add_script(o, "abc", 3), ==, 0);
    g_assert_cmpint(payload_new("run_script", o, true, &payload), ==, 0);
    g_assert_cmpstr(json_object_to_json_string_ext(payload, JSON_C_TO_STRING_PLAIN |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE),
                    ==,
                    "{\"command\":\"run_script\",\"arguments\":{\"b64script\":\"YWJj\","
                    "\"checksum\":"
                    "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"},"
                    "\"longer_runner\":true}");
    json_object_put(payload);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager/payload/arguments", test_arguments);
    g_test_add_func("/manager/payload/script", test_script);
    return g_test_run();
}
