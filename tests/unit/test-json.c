/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that one strict JSON document is taken and nothing else, that depth and UTF-8 are checked,
 * and that lookups give NULL for what is not there or has another type. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/json.h"

static void test_parse(void) {
    static const struct {
        const char *text;
        int result;
        json_type type;
    } cases[] = {
        {"{}", 0, json_type_object},
        {" \t\r\n{\"a\":1} \r\n\t", 0, json_type_object},
        {"[1,2]", 0, json_type_array},
        {"12", 0, json_type_int},
        {"-1.5e3", 0, json_type_double},
        {"\"x\"", 0, json_type_string},
        {"true", 0, json_type_boolean},
        {"null", 0, json_type_null},
        {"\"\\u0000\"", 0, json_type_string},
        {"{\"a\":\"\xc3\xa4\"}", 0, json_type_object},
        {"", -EBADMSG},
        {" ", -EBADMSG},
        {"{", -EBADMSG},
        {"[1,", -EBADMSG},
        {"\"x", -EBADMSG},
        {"tru", -EBADMSG},
        {"{} {}", -EBADMSG},
        {"{}x", -EBADMSG},
        {"1 2", -EBADMSG},
        {"{a:1}", -EBADMSG},
        {"[1,]", -EBADMSG},
        {"{\"a\":1,}", -EBADMSG},
        {"// no\n{}", -EBADMSG},
        {"01", -EBADMSG},
        {"hello", -EBADMSG},
        {"\"\xff\"", -EILSEQ},
        {"\"\xc3\"", -EILSEQ},
        {"\"\xc0\x9a\"", -EILSEQ},         /* overlong */
        {"\"\xed\xa0\x80\"", -EILSEQ},     /* surrogate */
        {"\"\xf4\x90\x80\x80\"", -EILSEQ}, /* beyond U+10FFFF */
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_json_ struct json_object *o = NULL;
        int r = json_parse(cases[i].text, strlen(cases[i].text), &o);

        if (r != cases[i].result || json_object_get_type(o) != cases[i].type)
            g_error("%s: result %d, type %d", cases[i].text, r, json_object_get_type(o));
    }
}

/* The text is what its size says, whatever lies behind it; a NUL in it is not its end. */
static void test_size(void) {
    _cleanup_json_ struct json_object *o = NULL, *p = NULL;

    g_assert_cmpint(json_parse("123456", 3, &o), ==, 0);
    g_assert_cmpint(json_object_get_int(o), ==, 123);
    g_assert_cmpint(json_parse("{}\0", 3, &p), ==, -EBADMSG);
    g_assert_cmpint(json_parse("{}\0{}", 5, &p), ==, -EBADMSG);
    g_assert_cmpint(json_parse("\0", 1, &p), ==, -EBADMSG);
    g_assert_cmpint(json_parse("x", (size_t)INT32_MAX + 1, &p), ==, -EFBIG);
    g_assert_null(p);
}

static void test_depth(void) {
    for (size_t depth = JSON_DEPTH_MAX - 2; depth <= JSON_DEPTH_MAX + 2; depth++) {
        _cleanup_json_ struct json_object *o = NULL;
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < depth; i++)
            g_string_append_c(text, '[');
        for (size_t i = 0; i < depth; i++)
            g_string_append_c(text, ']');
        g_assert_cmpint(json_parse(text->str, text->len, &o), ==,
                        depth <= JSON_DEPTH_MAX ? 0 : -ELOOP);
    }
}

static void test_get(void) {
    static const char text[] = "{\"s\":\"x\",\"e\":\"\",\"i\":7,\"d\":1.5,\"b\":true,\"n\":null,"
                               "\"z\":\"a\\u0000b\",\"o\":{},\"l\":[]}";
    static const struct {
        const char *key, *string, *scalar;
    } cases[] = {
        {"s", "x", "x"},   {"e", "", ""},     {"i", NULL, "7"},   {"d", NULL, "1.5"},
        {"b", NULL, NULL}, {"n", NULL, NULL}, {"z", NULL, NULL},  {"o", NULL, NULL},
        {"l", NULL, NULL}, {"", NULL, NULL},  {"no", NULL, NULL},
    };
    _cleanup_json_ struct json_object *o = NULL, *array = json_object_new_array();

    g_assert_cmpint(json_parse(text, strlen(text), &o), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_assert_cmpstr(json_get_string(o, cases[i].key), ==, cases[i].string);
        g_assert_cmpstr(json_get_scalar(o, cases[i].key), ==, cases[i].scalar);
    }
    g_assert_nonnull(json_get(o, "o"));
    g_assert_null(json_get(NULL, "s"));
    g_assert_null(json_get(array, "s"));
    g_assert_null(json_get_string(NULL, "s"));
}

static void test_add_and_encode(void) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    g_assert_cmpint(json_add_string(o, "s", "a/b \"\xc3\xa4\"\n"), ==, 0);
    g_assert_cmpint(json_add_string(o, "n", NULL), ==, 0);
    g_assert_cmpint(json_add_int(o, "i", INT64_MIN), ==, 0);
    g_assert_cmpint(json_add_bool(o, "b", false), ==, 0);
    g_assert_cmpint(json_add_null(o, "z"), ==, 0);
    g_assert_cmpint(json_add(o, "x", NULL), ==, -ENOMEM);
    g_assert_cmpint(json_encode(o, &text, &size), ==, 0);
    g_assert_cmpstr(text, ==,
                    "{\"s\":\"a/b \\\"\xc3\xa4\\\"\\n\",\"n\":null,\"i\":-9223372036854775808,"
                    "\"b\":false,\"z\":null}");
    g_assert_cmpuint(size, ==, strlen(text));
}

static void test_string_size(void) {
    for (int c = 1; c < 256; c++) {
        const char text[] = {'a', (char)c, 'b', 0};
        _cleanup_json_ struct json_object *o = json_object_new_string(text);
        _cleanup_free_ char *encoded = NULL;
        size_t size = 0;

        g_assert_cmpint(json_encode(o, &encoded, &size), ==, 0);
        g_assert_cmpuint(json_string_size(text), ==, size - 2);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/parse", test_parse);
    g_test_add_func("/json/size", test_size);
    g_test_add_func("/json/depth", test_depth);
    g_test_add_func("/json/get", test_get);
    g_test_add_func("/json/add-and-encode", test_add_and_encode);
    g_test_add_func("/json/string-size", test_string_size);
    return g_test_run();
}
