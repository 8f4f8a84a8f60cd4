/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/argument-type.h"

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

bool argument_is_file(const Argument *a) {
    return a->secret || a->type == ARGUMENT_BASE64;
}
