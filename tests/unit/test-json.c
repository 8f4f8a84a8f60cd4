/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that one strict JSON document is taken and nothing else, that depth and UTF-8 are checked,
 * and that lookups give NULL for what is not there or has another type. */
#include <glib.h>
#include <malloc.h>

#include "basic/bounds.h"
#include "proto/json-check.h"
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
        /* what json-c takes, in one version or the other */
        {"TRUE", -EBADMSG},
        {"True", -EBADMSG},
        {"NULL", -EBADMSG},
        {"NaN", 0, json_type_double},
        {"[Infinity, -Infinity]", 0, json_type_array},
        {"nan", -EBADMSG},
        {"-NaN", -EBADMSG},
        {"inf", -EBADMSG},
        {"INFINITY", -EBADMSG},
        {"'x'", -EBADMSG},
        {"{'a':1}", -EBADMSG},
        {"[1 /* no */]", -EBADMSG},
        {"[,]", -EBADMSG},
        {"[1,,2]", -EBADMSG},
        {"{,}", -EBADMSG},
        {"{\"a\"}", -EBADMSG},
        {"{\"a\":}", -EBADMSG},
        {"{1:2}", -EBADMSG},
        {"{\"a\":1 \"b\":2}", -EBADMSG},
        {"[1}", -EBADMSG},
        {"{\"a\":1]", -EBADMSG},
        {"]", -EBADMSG},
        {"-", -EBADMSG},
        {"+1", -EBADMSG},
        {".5", -EBADMSG},
        {"1.", -EBADMSG},
        {"1.e5", -EBADMSG},
        {"-01", -EBADMSG},
        {"1e", -EBADMSG},
        {"1e+", -EBADMSG},
        {"0x10", -EBADMSG},
        {"1_000", -EBADMSG},
        {"nul", -EBADMSG},
        {"nulll", -EBADMSG},
        {"\"\n\"", -EBADMSG},
        {"\"\t\"", -EBADMSG},
        {"\"\x1f\"", -EBADMSG},
        {"\"\\x\"", -EBADMSG},
        {"\"\\u12g4\"", -EBADMSG},
        {"\"\\u12", -EBADMSG},
        {"\"\\", -EBADMSG},
        {"\v1", -EBADMSG},
        {"\xef\xbb\xbf{}", -EBADMSG}, /* a byte order mark */
        {"-0", 0, json_type_int},
        {"0e0", 0, json_type_double},
        {"1E+2", 0, json_type_double},
        {"[1 , 2]", 0, json_type_array},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\"", 0, json_type_string},
        {"\"\x7f\"", 0, json_type_string},
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

/* Every character from U+0080 that UTF-8 has, as json-c 0.18 once refused them all. */
static void test_characters(void) {
    for (gunichar c = ' '; c <= 0x10ffff; c += c < 0x3000 ? 1 : 0xfd) {
        _cleanup_json_ struct json_object *o = NULL;
        char text[16] = "\"";
        int n;

        if (!g_unichar_validate(c) || c == '"' || c == '\\')
            continue;
        n = g_unichar_to_utf8(c, text + 1);
        text[1 + n] = '"';
        g_assert_cmpint(json_parse(text, strlen(text), &o), ==, 0);
        g_assert_cmpmem(json_object_get_string(o), json_object_get_string_len(o), text + 1, n);
    }
}

/* What one peer began is not in the text of the next: json-c keeps a half character over a reset.
 */
static void test_nothing_is_left_behind(void) {
    static const char *const broken[] = {
        "[\"\\ud800\\u",     "[\"\\ud800\\u0", "[\"\\ud800\\x", "{\"\\ud83d\\ud8",
        "[\"\\ud800\\u0041", "[\"a",           "[[[",           "{\"a\":tru"};

    for (size_t i = 0; i < ELEMENTSOF(broken); i++) {
        _cleanup_json_ struct json_object *o = NULL;

        g_assert_cmpint(json_parse(broken[i], strlen(broken[i]), &o), <, 0);
        g_assert_cmpint(json_parse("\"a\\u0041\"", 9, &o), ==, 0);
        g_assert_cmpstr(json_object_get_string(o), ==, "aA");
    }
}

static char *repeat(const char *head, const char *unit, const char *tail, size_t size) {
    GString *text = g_string_new(head);

    do
        g_string_append(text, unit);
    while (text->len + strlen(unit) + strlen(tail) < size && g_string_append_c(text, ','));
    g_string_append(text, tail);
    return g_string_free(text, FALSE);
}

static const struct {
    const char *head, *unit, *tail;
    bool passes; /* 8 MiB of it are few values for their size */
} shapes[] = {
    {"[", "{}", "]"},
    {"[", "[]", "]"},
    {"[", "{\"\":1}", "]"},
    {"[", "1", "]"},
    {"[", "1e1", "]"},
    {"[", "-1.2345678901234567890123456789", "]"},
    {"[", "null", "]"},
    {"[", "true", "]"},
    {"[", "\"\"", "]"},
    {"[", "[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]", "]"},
    {"[", "{\"a\":{\"b\":{\"c\":{\"d\":\"e\"}}}}", "]"},
    {"[", "\"a text that is no shorter than others, and has no end yet\"", "]", true},
};

/* What the check estimates is at least what the heap gives, so that its bound holds: the least
 * bound that lets a text through is searched for. */
static void test_estimate(void) {
    for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
        g_autofree char *text = repeat(shapes[i].head, shapes[i].unit, shapes[i].tail, 100000);
        _cleanup_json_ struct json_object *o = NULL;
        uint64_t low = 0, high = JSON_MEMORY_MAX;
        size_t before, taken;

        while (low < high) {
            uint64_t middle = (low + high) / 2;

            if (json_check(text, strlen(text), JSON_DEPTH_MAX, middle) == -E2BIG)
                low = middle + 1;
            else
                high = middle;
        }
        before = mallinfo2().uordblks;
        g_assert_cmpint(json_parse(text, strlen(text), &o), ==, 0);
        taken = mallinfo2().uordblks - before;
        g_test_message("%s: %zu taken, %" G_GUINT64_FORMAT " estimated", shapes[i].unit, taken,
                       low);
        g_assert_cmpuint(taken, <=, low);
        if (taken > 0) /* 0: of a sanitizer's heap; a pointer of 32 bits takes half */
            g_assert_cmpuint(low, <=, 4 * (8 / sizeof(void *)) * taken);
    }
}

/* Members in one object: their table grows by doubling, and that costs the most just behind it. */
static void test_estimate_of_members(void) {
    for (size_t n = 1; n < 5000; n = n < 100 ? n + 1 : n * 3 / 2 + 1) {
        g_autoptr(GString) text = g_string_new("{");
        _cleanup_json_ struct json_object *o = NULL;
        size_t before;

        for (size_t i = 0; i < n; i++)
            g_string_append_printf(text, "%s\"%zu\":null", i > 0 ? "," : "", i);
        g_string_append_c(text, '}');
        before = mallinfo2().uordblks;
        g_assert_cmpint(json_parse(text->str, text->len, &o), ==, 0);
        g_assert_cmpint(
            json_check(text->str, text->len, JSON_DEPTH_MAX, mallinfo2().uordblks - before - 1), ==,
            mallinfo2().uordblks > before ? -E2BIG : 0);
    }
}

/* A text that would take more than its bound is refused before anything is built of it. */
static void test_too_many_values(void) {
    for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
        g_autofree char *text = repeat("{\"x\":[", shapes[i].unit, "]}", MESSAGE_SIZE_MAX);
        struct json_object *o = NULL;

        g_assert_cmpint(json_parse(text, strlen(text), &o), ==, shapes[i].passes ? 0 : -E2BIG);
        (void)json_object_put(o);
        o = NULL;
        g_assert_cmpint(json_parse_small(text, strlen(text), &o), ==, -E2BIG);
        g_assert_null(o);
    }
}

/* One long text is not many values. */
static void test_long_text(void) {
    g_autofree char *text = g_strnfill(MESSAGE_SIZE_MAX, 'x');
    _cleanup_json_ struct json_object *o = NULL;

    text[0] = text[MESSAGE_SIZE_MAX - 1] = '"';
    g_assert_cmpint(json_parse(text, MESSAGE_SIZE_MAX, &o), ==, 0);
}

/* What json_parse_part() lets through is let through in a message around it, and what was stored
 * of that in any case. */
static void test_part(void) {
    for (size_t depth = 1; depth <= JSON_DEPTH_MAX; depth++) {
        g_autofree char *open = g_strnfill(depth, '['), *close = g_strnfill(depth, ']');
        g_autofree char *part = g_strconcat(open, close, NULL);
        g_autofree char *message = g_strconcat("{\"payload\":", part, "}", NULL);
        _cleanup_json_ struct json_object *o = NULL, *p = NULL, *q = NULL;
        int r = json_parse_part(part, strlen(part), &o);

        g_assert_cmpint(r, ==, depth < JSON_DEPTH_MAX ? 0 : -ELOOP);
        g_assert_cmpint(json_parse(message, strlen(message), &p), ==, r);
        g_assert_cmpint(json_parse_stored(message, strlen(message), &q), ==, 0);
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
    g_test_add_func("/json/characters", test_characters);
    g_test_add_func("/json/nothing-is-left-behind", test_nothing_is_left_behind);
    g_test_add_func("/json/estimate", test_estimate);
    g_test_add_func("/json/estimate-of-members", test_estimate_of_members);
    g_test_add_func("/json/too-many-values", test_too_many_values);
    g_test_add_func("/json/long-text", test_long_text);
    g_test_add_func("/json/part", test_part);
    g_test_add_func("/json/get", test_get);
    g_test_add_func("/json/add-and-encode", test_add_and_encode);
    g_test_add_func("/json/string-size", test_string_size);
    return g_test_run();
}
