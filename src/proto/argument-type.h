/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a command's argument table. */
#pragma once

#include "basic/macro.h"

typedef enum ArgumentType {
    ARGUMENT_STRING,
    ARGUMENT_BOOL,
    ARGUMENT_INTEGER,
    ARGUMENT_NUMBER,      /* with or without a fraction */
    ARGUMENT_BASE64,      /* bytes */
    ARGUMENT_BASE64_TEXT, /* a string in base64 */
    ARGUMENT_LIST,        /* of strings */
    ARGUMENT_OBJECT,      /* of JSON, whatever is in it */
    _ARGUMENT_TYPE_MAX,
    _ARGUMENT_TYPE_INVALID = -EINVAL,
} ArgumentType;

/* What else a string must be. */
typedef enum ArgumentRule {
    ARGUMENT_ANY,
    ARGUMENT_USER_NAME, /* proto/name.h */
    ARGUMENT_HOST_NAME, /* what is left when other characters are gone; that is the value then */
    ARGUMENT_WORD,      /* letters, digits, dots, dashes and underscores, first a letter or digit */
    ARGUMENT_PATH,      /* absolute, without .. in it */
    _ARGUMENT_RULE_MAX,
    _ARGUMENT_RULE_INVALID = -EINVAL,
} ArgumentRule;

#define COMMAND_DRY_RUN "dry_run" /* of all commands: say what would be, and do nothing */

/* Where the value comes from. */
typedef enum ArgumentSource {
    ARGUMENT_FROM_MANAGER,
    ARGUMENT_FROM_COMMAND, /* the name by which the command was ordered */
    ARGUMENT_FROM_ADDRESS, /* the first IPv4 address of this server */
    ARGUMENT_FROM_OWNER,   /* "ours" if the agent made the user of another argument, or "foreign" */
} ArgumentSource;

typedef struct Argument {
    const char *name;
    ArgumentType type;
    bool mandatory;
    bool secret;   /* only the job may see its value */
    bool nullable; /* null will do where it is mandatory; the value is not set then */
    bool has_min;
    const char *help;     /* one line, for people */
    const char *fallback; /* the value where none is given, as text; NULL: none */
    char *const *choices; /* all values that there are of a string; NULL: no such list */
    int64_t min, max;     /* of an integer */
    const char *user;     /* name of the argument that ARGUMENT_FROM_OWNER asks for */
    ArgumentRule rule;    /* of a string */
    ArgumentSource source;
    bool has_max;
} Argument;

const char *argument_type_to_string(ArgumentType type) _const_;
ArgumentType argument_type_from_string(const char *s) _pure_;
ArgumentRule argument_rule_from_string(const char *s) _pure_;

/* Whether a manager is told of it, and gives it. */
bool argument_is_public(const Argument *a) _pure_;

/* Whether its value is a file for a script that has positional arguments. */
bool argument_is_file(const Argument *a) _pure_;
