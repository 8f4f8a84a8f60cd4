/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/argument-type.h"

static const char *const names[_ARGUMENT_TYPE_MAX] = {
    [ARGUMENT_STRING] = "string", [ARGUMENT_BOOL] = "boolean",  [ARGUMENT_INTEGER] = "integer",
    [ARGUMENT_NUMBER] = "number", [ARGUMENT_BASE64] = "base64", [ARGUMENT_LIST] = "list",
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
