/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the argument rules of the protocol's section 7: every type takes its spellings and nothing
 * else, null is absent, bounds hold, and no error text has a value in it. */
#include <glib.h>

#include "basic/bounds.h"
#include "proto/argument.h"

#define SECRET "c4n4ry" /* part of every bad value */

static const Argument table[] = {
    {"text", ARGUMENT_STRING, false},    {"flag", ARGUMENT_BOOL, false},
    {"bytes", ARGUMENT_BASE64, false},   {"list", ARGUMENT_LIST, false},
    {"number", ARGUMENT_INTEGER, false}, {"real", ARGUMENT_NUMBER, false},
};
static const Argument mandatory[] = {{"needed", ARGUMENT_STRING, true}};

enum { TEXT, FLAG, BYTES, LIST, NUMBER, REAL };

static struct json_object *parse_json(const char *text) {
    struct json_object *o = NULL;

    g_assert_cmpint(json_parse(text, strlen(text), &o), ==, 0);
    return o;
}

static int parse(const char *name, const char *value, ArgumentValue *ret, char **ret_error) {
    g_autofree char *text = g_strdup_printf("{\"%s\":%s}", name, value);
    _cleanup_json_ struct json_object *o = parse_json(text);

    return arguments_parse(table, ELEMENTSOF(table), o, ret, ret_error);
}

static void assert_good(const char *name, const char *value, ArgumentValue *ret) {
    char *error = NULL;

    if (parse(name, value, ret, &error) != 0)
        g_error("%s: %s: %s", name, value, error);
    g_assert_null(error);
}

static void test_string(void) {
    static const char *const cases[][2] = {
        {"\"x\"", "x"},        {"\"\"", ""},     {"5", "5"},         {"-1", "-1"},
        {"1.5", "1.5"},        {"true", "true"}, {"false", "false"}, {"\"\xc3\xa4\"", "\xc3\xa4"},
        {"\"a\\nb\"", "a\nb"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ArgumentValue v[ELEMENTSOF(table)];

        assert_good("text", cases[i][0], v);
        g_assert_true(v[TEXT].is_set);
        g_assert_cmpstr(v[TEXT].string, ==, cases[i][1]);
        g_assert_cmpuint(v[TEXT].size, ==, strlen(cases[i][1]));
        g_assert_false(v[FLAG].is_set);
        argument_values_done(v, ELEMENTSOF(v));
        g_assert_null(v[TEXT].string);
    }
}

static void test_bool(void) {
    static const struct {
        const char *value;
        bool expected;
    } cases[] = {
        {"true", true},     {"false", false},     {"\"true\"", true}, {"\"false\"", false},
        {"\"TRUE\"", true}, {"\"False\"", false}, {"\"yes\"", true},  {"\"no\"", false},
        {"\"Yes\"", true},  {"\"NO\"", false},    {"1", true},        {"0", false},
        {"\"1\"", true},    {"\"0\"", false},     {"1.0", true},      {"0e0", false},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ArgumentValue v[ELEMENTSOF(table)];

        assert_good("flag", cases[i].value, v);
        g_assert_true(v[FLAG].is_set);
        g_assert_cmpint(v[FLAG].boolean, ==, cases[i].expected);
        argument_values_done(v, ELEMENTSOF(v));
    }
}

static void test_base64(void) {
    static const struct {
        const char *value, *bytes;
        size_t size;
    } cases[] = {
        {"\"\"", "", 0},
        {"\"AA==\"", "\0", 1},
        {"\"aGVsbG8=\"", "hello", 5},
        {"\"aGVs\\nbG8=\\n\"", "hello", 5},
        {"\"/////w==\"", "\xff\xff\xff\xff", 4},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ArgumentValue v[ELEMENTSOF(table)];

        assert_good("bytes", cases[i].value, v);
        g_assert_cmpmem(v[BYTES].string, v[BYTES].size, cases[i].bytes, cases[i].size);
        g_assert_cmpint(v[BYTES].string[v[BYTES].size], ==, 0);
        argument_values_done(v, ELEMENTSOF(v));
    }
}

static void test_list(void) {
    static const struct {
        const char *value;
        const char *const items[4];
    } cases[] = {
        {"[]", {NULL}},
        {"[\"a\"]", {"a"}},
        {"[\"\",\"b c\",5]", {"", "b c", "5"}},
        {"[true,1.5]", {"true", "1.5"}},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ArgumentValue v[ELEMENTSOF(table)];

        assert_good("list", cases[i].value, v);
        g_assert_cmpuint(g_strv_length(v[LIST].list), ==,
                         g_strv_length((char **)(uintptr_t)cases[i].items));
        for (size_t k = 0; cases[i].items[k]; k++)
            g_assert_cmpstr(v[LIST].list[k], ==, cases[i].items[k]);
        argument_values_done(v, ELEMENTSOF(v));
    }
}

static void test_absent(void) {
    static const char *const cases[] = {"{}", "{\"text\":null,\"flag\":null,\"list\":null}", "[]",
                                        "5", "{\"other\":1}"};
    ArgumentValue v[ELEMENTSOF(table)];
    char *error = NULL;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_json_ struct json_object *o = parse_json(cases[i]);

        g_assert_cmpint(arguments_parse(table, ELEMENTSOF(table), o, v, &error), ==, 0);
        for (size_t k = 0; k < ELEMENTSOF(table); k++)
            g_assert_true(!v[k].is_set && !v[k].string && !v[k].list);
        g_assert_cmpint(arguments_parse(mandatory, 1, o, v, &error), ==, -EINVAL);
        g_assert_cmpstr(error, ==, "The mandatory argument 'needed' is missing");
        free(TAKE_PTR(error));
    }
    g_assert_cmpint(arguments_parse(table, ELEMENTSOF(table), NULL, v, &error), ==, 0);
    g_assert_cmpint(arguments_parse(mandatory, 1, NULL, v, &error), ==, -EINVAL);
    free(error);
    g_assert_cmpint(arguments_parse(NULL, 0, NULL, v, &error), ==, 0);
}

/* Where a row says so, null is there and has no value; absent it is as mandatory as before. */
static void test_nullable(void) {
    static const Argument row[] = {
        {"needed", ARGUMENT_INTEGER, true, .nullable = true},
    };
    _cleanup_json_ struct json_object *null = parse_json("{\"needed\":null}");
    _cleanup_json_ struct json_object *absent = parse_json("{\"other\":null}");
    _cleanup_json_ struct json_object *wrong = parse_json("{\"needed\":\"x\"}");
    _cleanup_free_ char *missing = NULL, *invalid = NULL;
    ArgumentValue v[ELEMENTSOF(row)];
    char *error = NULL;

    g_assert_cmpint(arguments_parse(row, 1, null, v, &error), ==, 0);
    g_assert_false(v[0].is_set);
    g_assert_cmpint(arguments_parse(row, 1, absent, v, &missing), ==, -EINVAL);
    g_assert_cmpstr(missing, ==, "The mandatory argument 'needed' is missing");
    g_assert_cmpint(arguments_parse(row, 1, wrong, v, &invalid), ==, -EINVAL);
}

#define MIN_IS(n) .min = {.is_set = true, .is_integer = true, .integer = (n), .number = (n)}
#define MAX_IS(n) .max = {.is_set = true, .is_integer = true, .integer = (n), .number = (n)}

/* What people read of the values that are allowed. */
static void test_described_values(void) {
    static char fast[] = "fast", slow[] = "slow", *const choices[] = {fast, slow, NULL};
    static const struct {
        Argument row;
        const char *described;
    } cases[] = {
        {{"a", ARGUMENT_STRING}, ""},
        {{"a", ARGUMENT_STRING, .choices = choices}, "one of fast, slow"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_PATH}, "path"},
        {{"a", ARGUMENT_STRING, .max_length = 64}, "at most 64 bytes"},
        {{"a", ARGUMENT_LIST, .min_length = 1}, "at least 1 elements"},
        {{"a", ARGUMENT_LIST, .min_length = 1, .max_length = 9}, "1 to 9 elements"},
        {{"a", ARGUMENT_INTEGER, MIN_IS(-1)}, "at least -1"},
        {{"a", ARGUMENT_INTEGER, MIN_IS(0), MAX_IS(65535)}, "0 to 65535"},
        {{"a", ARGUMENT_NUMBER, .max = {.is_set = true, .number = 0.5}}, "at most 0.5"},
    };
    char text[256], few[8];

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        argument_describe_values(&cases[i].row, text, sizeof(text));
        g_assert_cmpstr(text, ==, cases[i].described);
    }
    argument_describe_values(&cases[1].row, few, sizeof(few));
    g_assert_cmpstr(few, ==, "one of ");
}

static void test_rules(void) {
    static char fast[] = "fast", slow[] = "slow", *const choices[] = {fast, slow, NULL};
    static const struct {
        Argument row;
        const char *value; /* in JSON */
        const char *taken, *error;
    } cases[] = {
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_USER_NAME}, "\"bob\"", "bob", NULL},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_USER_NAME},
         "\"-\"",
         NULL,
         "is not a valid user name"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_HOST_NAME}, "\"w e_b\"", "web", NULL},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_HOST_NAME}, "\"#\"", NULL, "leaves no host name"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_WORD}, "\"a-b_c.1\"", "a-b_c.1", NULL},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_WORD}, "\"\"", NULL, "is not a name of"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_WORD}, "\".a\"", NULL, "is not a name of"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_WORD}, "\"a/b\"", NULL, "is not a name of"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_PATH}, "\"/a/b..\"", "/a/b..", NULL},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_PATH}, "\"a\"", NULL, "is not an absolute path"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_PATH},
         "\"/a/../b\"",
         NULL,
         "is not an absolute path"},
        {{"a", ARGUMENT_STRING, .rule = ARGUMENT_PATH}, "\"/..\"", NULL, "is not an absolute path"},
        {{"a", ARGUMENT_STRING, .choices = choices}, "\"slow\"", "slow", NULL},
        {{"a", ARGUMENT_STRING, .choices = choices}, "\"slo\"", NULL, "is none of: fast, slow"},
        {{"a", ARGUMENT_STRING, .choices = choices, .fallback = "fast"}, "null", "fast", NULL},
        {{"a", ARGUMENT_INTEGER, MIN_IS(1)}, "0", NULL, "is less than 1"},
        {{"a", ARGUMENT_INTEGER, MAX_IS(-1)}, "0", NULL, "is more than -1"},
        {{"a", ARGUMENT_INTEGER, MIN_IS(0), MAX_IS(9)}, "\"10\"", NULL, "is not from 0 to 9"},
        {{"a", ARGUMENT_INTEGER, MIN_IS(0), MAX_IS(9)}, "9", NULL, NULL},
        {{"a", ARGUMENT_NUMBER, MIN_IS(0), .max = {.is_set = true, .number = 0.5}},
         "0.5",
         "0.5",
         NULL},
        {{"a", ARGUMENT_NUMBER, MIN_IS(0), .max = {.is_set = true, .number = 0.5}},
         "0.51",
         NULL,
         "is not from 0 to 0.5"},
        {{"a", ARGUMENT_NUMBER, MIN_IS(0)}, "\"-1e-9\"", NULL, "is less than 0"},
        {{"a", ARGUMENT_STRING, .min_length = 1}, "\"\"", NULL, "has less than 1 bytes"},
        {{"a", ARGUMENT_STRING, .max_length = 2}, "\"\u00e4\"", "\303\244", NULL},
        {{"a", ARGUMENT_STRING, .max_length = 2}, "\"\u00e4b\"", NULL, "has more than 2 bytes"},
        {{"a", ARGUMENT_STRING, .min_length = 2, .max_length = 3},
         "\"a\"",
         NULL,
         "has not from 2 to 3 bytes"},
        {{"a", ARGUMENT_STRING, .min_length = 1}, "null", NULL, NULL}, /* it is not given */
        {{"a", ARGUMENT_BASE64, .max_length = 1}, "\"AA==\"", "", NULL},
        {{"a", ARGUMENT_BASE64, .max_length = 1}, "\"AAA=\"", NULL, "has more than 1 bytes"},
        {{"a", ARGUMENT_BASE64_TEXT, .max_length = 1}, "\"YWI=\"", NULL, "has more than 1 bytes"},
        {{"a", ARGUMENT_LIST, .min_length = 1}, "[]", NULL, "has less than 1 elements"},
        {{"a", ARGUMENT_LIST, .max_length = 2}, "[1, \"long\"]", NULL, NULL},
        {{"a", ARGUMENT_LIST, .max_length = 2}, "[1, 2, 3]", NULL, "has more than 2 elements"},
        {{"a", ARGUMENT_BASE64_TEXT}, "\"eMOk\"", "x\303\244", NULL},
        {{"a", ARGUMENT_BASE64_TEXT}, "\"\"", "", NULL},
        {{"a", ARGUMENT_BASE64_TEXT}, "\"AA==\"", NULL, "is not a valid base64text"},
        {{"a", ARGUMENT_BASE64_TEXT}, "\"/w==\"", NULL, "is not a valid base64text"},
        {{"a", ARGUMENT_OBJECT}, "{\"b\": [1, {}]}", "{\"b\":[1,{}]}", NULL},
        {{"a", ARGUMENT_OBJECT}, "[]", NULL, "is not a valid object"},
        {{"a", ARGUMENT_STRING, .source = ARGUMENT_FROM_ADDRESS}, "\"mine\"", NULL, NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *text = g_strdup_printf("{\"a\": %s}", cases[i].value);
        _cleanup_json_ struct json_object *o = parse_json(text);
        _cleanup_free_ char *error = NULL;
        ArgumentValue v[1];
        int r = arguments_parse(&cases[i].row, 1, o, v, &error);

        g_test_message("%s", text);
        g_assert_cmpint(r, ==, cases[i].error ? -EINVAL : 0);
        g_assert_cmpint(!error, ==, !cases[i].error);
        g_assert_true(!error || strstr(error, cases[i].error));
        if (r < 0)
            continue;
        g_assert_cmpstr(v[0].string, ==, cases[i].taken);
        argument_values_done(v, 1);
    }
}

/* JSON has one kind of number: a whole one is an integer, however it is written. */
static void test_whole_numbers(void) {
    static const Argument row[] = {{"n", ARGUMENT_INTEGER, true}};
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"{\"n\":10}", true, 10},
        {"{\"n\":10.0}", true, 10},
        {"{\"n\":1e3}", true, 1000},
        {"{\"n\":-0.0}", true, 0},
        {"{\"n\":-7.00}", true, -7},
        {"{\"n\":9007199254740992.0}", true, INT64_C(1) << 53},
        {"{\"n\":9007199254740994.0}", false, 0},
        {"{\"n\":1.5}", false, 0},
        {"{\"n\":1e300}", false, 0},
        {"{\"n\":NaN}", false, 0},
        {"{\"n\":Infinity}", false, 0},
        {"{\"n\":\"1.0\"}", false, 0},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_json_ struct json_object *o = parse_json(cases[i].text);
        _cleanup_free_ char *error = NULL;
        ArgumentValue v[ELEMENTSOF(row)];
        int r = arguments_parse(row, 1, o, v, &error);

        if (r != (cases[i].good ? 0 : -EINVAL))
            g_error("%s: %d", cases[i].text, r);
        if (r == 0)
            g_assert_cmpint(v[0].integer, ==, cases[i].value);
    }
}

static void test_wrong(void) {
    static const char *const cases[][2] = {
        {"text", "{\"" SECRET "\":1}"},
        {"text", "[\"" SECRET "\"]"},
        {"text", "\"" SECRET "\\u0000x\""},
        {"flag", "\"" SECRET "\""},
        {"flag", "\"\""},
        {"flag", "2"},
        {"flag", "1.5"},
        {"flag", "2.0"},
        {"flag", "-1"},
        {"flag", "\"on\""},
        {"flag", "\"true \""},
        {"flag", "\"true\\u0000\""},
        {"flag", "[]"},
        {"flag", "{}"},
        {"bytes", "5"},
        {"bytes", "true"},
        {"bytes", "[]"},
        {"bytes", "\"" SECRET "!\""},
        {"bytes", "\"a\""},
        {"bytes", "\"a===\""},
        {"bytes", "\"aGVsbG8=\\u0000\""},
        {"list", "\"" SECRET "\""},
        {"list", "{\"0\":\"" SECRET "\"}"},
        {"list", "5"},
        {"list", "[\"" SECRET "\",null]"},
        {"list", "[\"" SECRET "\",[]]"},
        {"list", "[\"" SECRET "\",{}]"},
        {"list", "[\"" SECRET "\\u0000\"]"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        ArgumentValue v[ELEMENTSOF(table)];
        _cleanup_free_ char *error = NULL;

        if (parse(cases[i][0], cases[i][1], v, &error) != -EINVAL)
            g_error("accepted: %s", cases[i][1]);
        g_assert_nonnull(strstr(error, cases[i][0]));
        g_assert_null(strstr(error, SECRET));
        for (size_t k = 0; k < ELEMENTSOF(table); k++)
            g_assert_true(!v[k].string && !v[k].list);
    }
}

static int parse_list_of(size_t n, size_t item_size, char **ret_error) {
    _cleanup_json_ struct json_object *o = json_object_new_object(), *list = NULL;
    g_autofree char *item = g_strnfill(item_size, 'x');
    ArgumentValue v[ELEMENTSOF(table)];
    int r;

    list = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        json_object_array_add(list, json_object_new_string(item));
    json_object_object_add(o, "list", TAKE_PTR(list));
    r = arguments_parse(table, ELEMENTSOF(table), o, v, ret_error);
    if (r >= 0)
        argument_values_done(v, ELEMENTSOF(v));
    return r;
}

static void test_bounds(void) {
    static const struct {
        size_t n, size;
        bool good;
    } cases[] = {
        {JOB_ARGUMENTS_MAX, 1, true},
        {JOB_ARGUMENTS_MAX + 1, 1, false},
        {1, JOB_ARGUMENTS_SIZE_MAX - 1, true},
        {1, JOB_ARGUMENTS_SIZE_MAX, false},
        {2, JOB_ARGUMENTS_SIZE_MAX / 2 - 1, true},
        {2, JOB_ARGUMENTS_SIZE_MAX / 2, false},
        {100000, 0, false},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *error = NULL;

        g_assert_cmpint(parse_list_of(cases[i].n, cases[i].size, &error), ==,
                        cases[i].good ? 0 : -EINVAL);
        g_assert_cmpstr(error, ==, cases[i].good ? NULL : "The argument 'list' is too large");
    }
}

static void test_unknown(void) {
    _cleanup_json_ struct json_object *o =
        parse_json("{\"a\":1,\"text\":2,\"b\":null,\"list\":[],\"c\":3}");
    _cleanup_json_ struct json_object *array = parse_json("[\"a\"]");
    const char *const expected[] = {"a", "b", "c", NULL, NULL};
    size_t position = 0, none = 0;

    for (size_t i = 0; i < ELEMENTSOF(expected); i++)
        g_assert_cmpstr(arguments_next_unknown(table, ELEMENTSOF(table), o, &position), ==,
                        expected[i]);
    g_assert_null(arguments_next_unknown(table, ELEMENTSOF(table), NULL, &none));
    g_assert_null(arguments_next_unknown(table, ELEMENTSOF(table), array, &none));
}

static void test_names(void) {
    for (ArgumentType t = 0; t < _ARGUMENT_TYPE_MAX; t++)
        g_assert_nonnull(argument_type_to_string(t));
    g_assert_null(argument_type_to_string(_ARGUMENT_TYPE_MAX));
}

static void test_number(void) {
    static const struct {
        const char *value;
        double number;
    } good[] = {
        {"0", 0},          {"-1", -1},     {"7", 7},          {"0.5", 0.5},    {"1e3", 1000},
        {"-2.5E-1", -.25}, {"\"10\"", 10}, {"\"0.25\"", .25}, {"\"1e1\"", 10}, {"\".5\"", .5},
    };
    static const char *const bad[] = {"true",    "\"\"",    "\" 1\"",  "\"1 \"",       "\"+1\"",
                                      "\"0x1\"", "\"inf\"", "\"nan\"", "\"1e999\"",    "\"1,5\"",
                                      "[1]",     "{}",      "\"e1\"",  "\"1\\u0000\"", "\"-\""};

    for (size_t i = 0; i < ELEMENTSOF(good); i++) {
        ArgumentValue v[ELEMENTSOF(table)];

        assert_good("real", good[i].value, v);
        g_assert_cmpfloat(v[REAL].number, ==, good[i].number);
        g_assert_nonnull(v[REAL].string);
        argument_values_done(v, ELEMENTSOF(v));
    }
    for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
        ArgumentValue v[ELEMENTSOF(table)];
        _cleanup_free_ char *error = NULL;

        if (parse("real", bad[i], v, &error) != -EINVAL)
            g_error("accepted: %s", bad[i]);
        g_assert_cmpstr(error, ==, "The argument 'real' is not a valid number");
    }
}

static void test_integer(void) {
    static const struct {
        const char *value;
        int64_t number;
    } good[] = {
        {"0", 0},
        {"-1", -1},
        {"7", 7},
        {"\"42\"", 42},
        {"\"-3\"", -3},
        {"\"007\"", 7},
        {"9223372036854775807", INT64_MAX},
        {"1.0", 1},
        {"1e3", 1000},
    };
    static const char *const bad[] = {
        "1.5", "true", "\"\"", "\" 1\"", "\"+1\"", "\"1x\"", "\"0x1\"", "\"9223372036854775808\"",
        "[1]", "{}",
    };

    for (size_t i = 0; i < ELEMENTSOF(good); i++) {
        ArgumentValue v[ELEMENTSOF(table)];

        assert_good("number", good[i].value, v);
        g_assert_true(v[NUMBER].is_set);
        g_assert_cmpint(v[NUMBER].integer, ==, good[i].number);
        argument_values_done(v, ELEMENTSOF(v));
    }
    for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
        ArgumentValue v[ELEMENTSOF(table)];
        g_autofree char *error = NULL;

        g_assert_cmpint(parse("number", bad[i], v, &error), ==, -EINVAL);
        g_assert_cmpstr(error, ==, "The argument 'number' is not a valid integer");
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/argument/rules", test_rules);
    g_test_add_func("/argument/described-values", test_described_values);
    g_test_add_func("/argument/string", test_string);
    g_test_add_func("/argument/bool", test_bool);
    g_test_add_func("/argument/base64", test_base64);
    g_test_add_func("/argument/list", test_list);
    g_test_add_func("/argument/absent", test_absent);
    g_test_add_func("/argument/nullable", test_nullable);
    g_test_add_func("/argument/whole-numbers", test_whole_numbers);
    g_test_add_func("/argument/wrong", test_wrong);
    g_test_add_func("/argument/bounds", test_bounds);
    g_test_add_func("/argument/unknown", test_unknown);
    g_test_add_func("/argument/names", test_names);
    g_test_add_func("/argument/number", test_number);
    g_test_add_func("/argument/integer", test_integer);
    return g_test_run();
}
