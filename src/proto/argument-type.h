/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a command's argument table. */
#pragma once

#include "basic/macro.h"

typedef enum ArgumentType {
    ARGUMENT_STRING,
    ARGUMENT_BOOL,
    ARGUMENT_INTEGER,
    ARGUMENT_NUMBER, /* with or without a fraction */
    ARGUMENT_BASE64, /* bytes */
    ARGUMENT_LIST,   /* of strings */
    _ARGUMENT_TYPE_MAX,
    _ARGUMENT_TYPE_INVALID = -EINVAL,
} ArgumentType;

typedef struct Argument {
    const char *name;
    ArgumentType type;
    bool mandatory;
    bool secret;          /* only the job may see its value */
    bool nullable;        /* null will do where it is mandatory; the value is not set then */
    const char *help;     /* one line, for people */
    const char *fallback; /* the value where none is given, as text; NULL: none */
} Argument;

const char *argument_type_to_string(ArgumentType type) _const_;
ArgumentType argument_type_from_string(const char *s) _pure_;
