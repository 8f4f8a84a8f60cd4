/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/argument-type.h"

#include <inttypes.h>

#include "basic/utf8.h"

static const char *const names[_ARGUMENT_TYPE_MAX] = {
    [ARGUMENT_STRING] = "string",   [ARGUMENT_BOOL] = "boolean",
    [ARGUMENT_INTEGER] = "integer", [ARGUMENT_NUMBER] = "number",
    [ARGUMENT_BASE64] = "base64",   [ARGUMENT_BASE64_TEXT] = "base64text",
    [ARGUMENT_LIST] = "list",       [ARGUMENT_OBJECT] = "object",
};

static const char *const rules[_ARGUMENT_RULE_MAX] = {
    [ARGUMENT_ANY] = "any",
    [ARGUMENT_USER_NAME] = "user_name",
    [ARGUMENT_HOST_NAME] = "host_name",
    [ARGUMENT_WORD] = "name",
    [ARGUMENT_PATH] = "path",
};

const char *argument_type_to_string(ArgumentType type) {
    return (unsigned)type < _ARGUMENT_TYPE_MAX ? names[type] : NULL;
}

ArgumentType argument_type_from_string(const char *s) {
    for (ArgumentType t = 0; t < _ARGUMENT_TYPE_MAX; t++)
        if (streq(names[t], s))
            return t;
    return _ARGUMENT_TYPE_INVALID;
}

ArgumentRule argument_rule_from_string(const char *s) {
    for (ArgumentRule r = 0; r < _ARGUMENT_RULE_MAX; r++)
        if (streq(rules[r], s))
            return r;
    return _ARGUMENT_RULE_INVALID;
}

bool argument_is_public(const Argument *a) {
    return a->source == ARGUMENT_FROM_MANAGER;
}

static void format_bound(const ArgumentBound *b, char buf[static 32]) {
    *buf = 0;
    if (b->is_integer)
        (void)utf8_format(buf, 32, "%" PRId64, b->integer);
    else if (b->is_set)
        (void)utf8_format(buf, 32, "%g", b->number);
}

/* "MIN to MAX UNIT", or the half of it that there is. */
static void describe_range(const char *min, const char *max, const char *unit, char *buf,
                           size_t size) {
    if (*min && *max)
        (void)utf8_format(buf, size, "%s to %s%s", min, max, unit);
    else if (*min || *max)
        (void)utf8_format(buf, size, "at %s %s%s", *min ? "least" : "most", *min ? min : max, unit);
}

static void describe_lengths(const Argument *a, char *buf, size_t size) {
    const char *unit = a->type == ARGUMENT_LIST ? " elements" : " bytes";
    char min[32] = "", max[32] = "";

    if (a->min_length > 0)
        (void)utf8_format(min, sizeof(min), "%zu", a->min_length);
    if (a->max_length > 0)
        (void)utf8_format(max, sizeof(max), "%zu", a->max_length);
    describe_range(min, max, unit, buf, size);
}

static void describe_choices(const Argument *a, char *buf, size_t size) {
    size_t used = (size_t)utf8_format(buf, size, "one of");

    for (char *const *c = a->choices; *c && used < size; c++)
        used +=
            (size_t)utf8_format(buf + used, size - used, "%s %s", c == a->choices ? "" : ",", *c);
}

void argument_describe_values(const Argument *a, char *buf, size_t size) {
    char min[32], max[32];

    *buf = 0;
    format_bound(&a->min, min);
    format_bound(&a->max, max);
    if (a->choices)
        describe_choices(a, buf, size);
    else if (*min || *max)
        describe_range(min, max, "", buf, size);
    else if (a->min_length > 0 || a->max_length > 0)
        describe_lengths(a, buf, size);
    else if (a->rule != ARGUMENT_ANY)
        (void)utf8_format(buf, size, "%s", rules[a->rule]);
}

bool argument_is_file(const Argument *a) {
    return a->secret || a->type == ARGUMENT_BASE64;
}
