/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/argument.h"

#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "proto/name.h"
#include "proto/text.h"

void argument_values_done(ArgumentValue *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (values[i].string)
            explicit_bzero(values[i].string, values[i].size);
        free(values[i].string);
        for (char **s = values[i].list; s && *s; s++)
            explicit_bzero(*s, strlen(*s));
        strv_free(values[i].list);
        values[i] = (ArgumentValue){};
    }
}

/* Returns a string, or a number in its decimal form; NULL for other types, and for text with a
 * NUL. */
static const char *scalar_text(struct json_object *value) {
    const char *s;

    switch (json_object_get_type(value)) {
    case json_type_string:
        s = json_object_get_string(value);
        return strlen(s) == (size_t)json_object_get_string_len(value) ? s : NULL;
    case json_type_int:
    case json_type_double:
    case json_type_boolean:
        return json_object_get_string(value);
    default:
        return NULL;
    }
}

static int parse_string(struct json_object *value, ArgumentValue *ret) {
    const char *s = scalar_text(value);

    if (!s)
        return -EINVAL;
    ret->string = strdup(s);
    if (!ret->string)
        return -ENOMEM;
    ret->size = strlen(s);
    return 0;
}

static int parse_bool(struct json_object *value, ArgumentValue *ret) {
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1"};
    const char *s = scalar_text(value);
    int64_t number;

    if (json_object_is_type(value, json_type_double))
        s = json_to_integer(value, &number) < 0 ? NULL
            : number == 0                       ? "0"
            : number == 1                       ? "1"
                                                : NULL;
    for (size_t i = 0; s && i < ELEMENTSOF(words); i++)
        if (strcasecmp(s, words[i]) == 0) {
            ret->boolean = i % 2 == 1;
            return 0;
        }
    return -EINVAL;
}

/* Accepts a JSON integer, or a string of decimal digits. */
static int parse_integer(struct json_object *value, ArgumentValue *ret) {
    const char *s = scalar_text(value);
    char *end;

    if (json_object_is_type(value, json_type_double))
        return json_to_integer(value, &ret->integer);
    if (!s)
        return -EINVAL;
    errno = 0;
    ret->integer = strtoll(s, &end, 10);
    return errno != 0 || end == s || *end || strchr(" \t\n\v\f\r+", s[0]) ? -EINVAL : 0;
}

/* Accepts a JSON number, or a string; fraction and exponent are allowed. */
static int parse_number(struct json_object *value, ArgumentValue *ret) {
    const char *s = scalar_text(value);
    char *end;

    if (!s || json_object_is_type(value, json_type_boolean) || s[strspn(s, "0123456789+-.eE")] ||
        strchr("+e", s[0]))
        return -EINVAL;
    ret->number = strtod(s, &end);
    return end == s || *end || !isfinite(ret->number) ? -EINVAL : parse_string(value, ret);
}

static int parse_base64(struct json_object *value, ArgumentValue *ret) {
    gnutls_datum_t in, out = {};
    int r;

    if (!json_object_is_type(value, json_type_string))
        return -EINVAL;
    in.data = (unsigned char *)json_object_get_string(value);
    in.size = (unsigned)json_object_get_string_len(value);
    r = in.size > 0 ? gnutls_base64_decode2(&in, &out) : 0;
    if (r < 0)
        return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
    ret->string = malloc(out.size + 1);
    if (!ret->string)
        r = -ENOMEM;
    else {
        if (out.size > 0)
            memcpy(ret->string, out.data, out.size);
        ret->string[out.size] = 0;
        ret->size = out.size;
    }
    gnutls_free(out.data);
    return r;
}

static int parse_base64_text(struct json_object *value, ArgumentValue *ret) {
    int r;

    r = parse_base64(value, ret);
    if (r >= 0 && (strlen(ret->string) != ret->size || !utf8_is_valid(ret->string, ret->size)))
        return -EINVAL;
    return r;
}

static int parse_object(struct json_object *value, ArgumentValue *ret) {
    const char *text;

    if (!json_object_is_type(value, json_type_object))
        return -EINVAL;
    text = json_to_text(value, &ret->size);
    ret->string = text ? strdup(text) : NULL;
    return ret->string ? 0 : -ENOMEM;
}

static int parse_list(struct json_object *value, ArgumentValue *ret) {
    size_t n, total = 0;

    if (!json_object_is_type(value, json_type_array))
        return -EINVAL;
    n = json_object_array_length(value);
    if (n > JOB_ARGUMENTS_MAX)
        return -E2BIG;
    ret->list = calloc(n + 1, sizeof(char *));
    if (!ret->list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *s = scalar_text(json_object_array_get_idx(value, i));

        if (!s)
            return -EINVAL;
        total += strlen(s) + 1;
        if (total > JOB_ARGUMENTS_SIZE_MAX)
            return -E2BIG;
        ret->list[i] = strdup(s);
        if (!ret->list[i])
            return -ENOMEM;
    }
    return 0;
}

static int parse_value(ArgumentType type, struct json_object *value, ArgumentValue *ret) {
    static int (*const parsers[_ARGUMENT_TYPE_MAX])(struct json_object *, ArgumentValue *) = {
        [ARGUMENT_STRING] = parse_string,   [ARGUMENT_BOOL] = parse_bool,
        [ARGUMENT_INTEGER] = parse_integer, [ARGUMENT_NUMBER] = parse_number,
        [ARGUMENT_BASE64] = parse_base64,   [ARGUMENT_BASE64_TEXT] = parse_base64_text,
        [ARGUMENT_LIST] = parse_list,       [ARGUMENT_OBJECT] = parse_object,
    };

    ret->is_set = true;
    return parsers[type](value, ret);
}

static int parse_fallback(const Argument *a, ArgumentValue *ret) {
    _cleanup_json_ struct json_object *text = NULL;

    if (!a->fallback)
        return a->mandatory ? -ENODATA : 0;
    text = json_object_new_string(a->fallback);
    return text ? parse_value(a->type, text, ret) : -ENOMEM;
}

static int parse_one(const Argument *a, struct json_object *arguments, ArgumentValue *ret) {
    struct json_object *value = NULL;

    if (!argument_is_public(a))
        return 0;
    value = json_get(arguments, a->name);
    if (!value && a->nullable && json_object_object_get_ex(arguments, a->name, NULL))
        return 0;
    return value ? parse_value(a->type, value, ret) : parse_fallback(a, ret);
}

static bool is_word(const char *s) {
    for (const char *p = s; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *p) &&
            (p == s || !strchr("._-", *p)))
            return false;
    return *s;
}

static bool is_path(const char *s) {
    size_t n = strlen(s);

    return *s == '/' && !strstr(s, "/../") && (n < 3 || !streq(s + n - 3, "/.."));
}

static int make_host_name(ArgumentValue *v) {
    _cleanup_free_ char *name = NULL;

    TRY(host_name_make(v->string, &name));
    v->size = strlen(name);
    free(v->string);
    v->string = TAKE_PTR(name);
    return 0;
}

/* -EDOM: it violates the rule. */
static int check_rule(const Argument *a, ArgumentValue *v) {
    bool ok = true;
    int r;

    switch (a->rule) {
    case ARGUMENT_USER_NAME:
        ok = user_name_is_valid(v->string);
        break;
    case ARGUMENT_HOST_NAME:
        r = make_host_name(v);
        if (r == -ENOMEM)
            return r;
        ok = r >= 0;
        break;
    case ARGUMENT_WORD:
        ok = is_word(v->string);
        break;
    case ARGUMENT_PATH:
        ok = is_path(v->string);
        break;
    default:
        break;
    }
    return ok ? 0 : -EDOM;
}

static bool is_within(const Argument *a, const ArgumentValue *v) {
    if (a->type == ARGUMENT_INTEGER)
        return (!a->min.is_set || v->integer >= a->min.integer) &&
               (!a->max.is_set || v->integer <= a->max.integer);
    return (!a->min.is_set || v->number >= a->min.number) &&
           (!a->max.is_set || v->number <= a->max.number);
}

static bool has_good_length(const Argument *a, const ArgumentValue *v) {
    size_t n = v->size;

    if (a->type == ARGUMENT_LIST)
        for (n = 0; v->list[n];)
            n++;
    return n >= a->min_length && (a->max_length == 0 || n <= a->max_length);
}

/* -ERANGE: it is not among the permitted values. -EMSGSIZE: it has not the permitted length. */
static int check_range(const Argument *a, const ArgumentValue *v) {
    if (!is_within(a, v))
        return -ERANGE;
    if (!has_good_length(a, v))
        return -EMSGSIZE;
    if (!a->choices)
        return 0;
    for (char *const *c = a->choices; *c; c++)
        if (streq(*c, v->string))
            return 0;
    return -ERANGE;
}

static int check_value(const Argument *a, ArgumentValue *v) {
    if (!v->is_set)
        return 0;
    TRY(check_range(a, v));
    return check_rule(a, v);
}

static int explain_rule(const Argument *a, char **ret) {
    static const char *const texts[_ARGUMENT_RULE_MAX] = {
        [ARGUMENT_ANY] = "has a wrong value",
        [ARGUMENT_USER_NAME] = "is not a valid user name",
        [ARGUMENT_HOST_NAME] = "leaves no host name",
        [ARGUMENT_WORD] = "is not a name of letters, digits, dots, dashes and underscores",
        [ARGUMENT_PATH] = "is not an absolute path",
    };

    return asprintf(ret, "The argument '%s' %s", a->name, texts[a->rule]);
}

static int explain_choices(const Argument *a, char **ret) {
    _cleanup_free_ char *list = NULL;
    size_t size;
    FILE *f;

    f = open_memstream(&list, &size);
    if (!f)
        return -1;
    for (char *const *c = a->choices; *c; c++)
        (void)fprintf(f, "%s%s", c == a->choices ? "" : ", ", *c);
    return fclose(f) != 0 ? -1 : asprintf(ret, "The argument '%s' is none of: %s", a->name, list);
}

#define BOUND_SIZE 32

static const char *print_bound(const ArgumentBound *b, char ret[static BOUND_SIZE]) {
    if (b->is_integer)
        (void)snprintf(ret, BOUND_SIZE, "%" PRId64, b->integer);
    else
        (void)snprintf(ret, BOUND_SIZE, "%.15g", b->number);
    return ret;
}

static int explain_range(const Argument *a, char **ret) {
    char min[BOUND_SIZE], max[BOUND_SIZE];

    if (a->choices)
        return explain_choices(a, ret);
    print_bound(&a->min, min);
    print_bound(&a->max, max);
    if (!a->max.is_set)
        return asprintf(ret, "The argument '%s' is less than %s", a->name, min);
    if (!a->min.is_set)
        return asprintf(ret, "The argument '%s' is more than %s", a->name, max);
    return asprintf(ret, "The argument '%s' is not from %s to %s", a->name, min, max);
}

static int explain_length(const Argument *a, char **ret) {
    const char *what = a->type == ARGUMENT_LIST ? "elements" : "bytes";

    if (a->max_length == 0)
        return asprintf(ret, "The argument '%s' has less than %zu %s", a->name, a->min_length,
                        what);
    if (a->min_length == 0)
        return asprintf(ret, "The argument '%s' has more than %zu %s", a->name, a->max_length,
                        what);
    return asprintf(ret, "The argument '%s' has not from %zu to %zu %s", a->name, a->min_length,
                    a->max_length, what);
}

/* Makes the error text; returns the error, or -ENOMEM. */
static int fail(int error, const Argument *a, char **ret_error) {
    int n;

    if (error == -ENOMEM)
        return error;
    if (error == -ENODATA)
        n = asprintf(ret_error, "The mandatory argument '%s' is missing", a->name);
    else if (error == -E2BIG)
        n = asprintf(ret_error, "The argument '%s' is too large", a->name);
    else if (error == -EDOM)
        n = explain_rule(a, ret_error);
    else if (error == -ERANGE)
        n = explain_range(a, ret_error);
    else if (error == -EMSGSIZE)
        n = explain_length(a, ret_error);
    else
        n = asprintf(ret_error, "The argument '%s' is not a valid %s", a->name,
                     argument_type_to_string(a->type));
    return n < 0 ? -ENOMEM : -EINVAL;
}

int arguments_parse(const Argument *table, size_t n, struct json_object *arguments,
                    ArgumentValue *ret, char **ret_error) {
    int r;

    *ret_error = NULL;
    memset(ret, 0, n * sizeof(*ret));
    for (size_t i = 0; i < n; i++) {
        r = parse_one(&table[i], arguments, &ret[i]);
        if (r >= 0)
            r = check_value(&table[i], &ret[i]);
        if (r < 0) {
            argument_values_done(ret, n);
            return fail(r, &table[i], ret_error);
        }
    }
    return 0;
}

const char *arguments_next_unknown(const Argument *table, size_t n, struct json_object *arguments,
                                   size_t *i) {
    size_t position = 0;

    if (!json_object_is_type(arguments, json_type_object))
        return NULL;
    json_object_object_foreach(arguments, key, value) {
        bool known = false;

        (void)value;
        if (position++ < *i)
            continue;
        *i = position;
        for (size_t j = 0; j < n && !known; j++)
            known = argument_is_public(&table[j]) && streq(table[j].name, key);
        if (!known)
            return key;
    }
    return NULL;
}
