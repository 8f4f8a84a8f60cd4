/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a command's argument table. */
#pragma once

#include "basic/macro.h"

typedef enum ArgumentType {
    ARGUMENT_STRING,
    ARGUMENT_BOOL,
    ARGUMENT_INTEGER,
    ARGUMENT_NUMBER,      /* a fraction is allowed */
    ARGUMENT_BASE64,      /* bytes */
    ARGUMENT_BASE64_TEXT, /* base64 of a string */
    ARGUMENT_LIST,        /* of strings */
    ARGUMENT_OBJECT,      /* of JSON, with any content */
    _ARGUMENT_TYPE_MAX,
    _ARGUMENT_TYPE_INVALID = -EINVAL,
} ArgumentType;

/* Further restriction of a string. */
typedef enum ArgumentRule {
    ARGUMENT_ANY,
    ARGUMENT_USER_NAME, /* proto/name.h */
    ARGUMENT_HOST_NAME, /* the value is the text without the characters that no host name has */
    ARGUMENT_WORD,      /* letters, digits, ".", "-" and "_"; begins with a letter or digit */
    ARGUMENT_PATH,      /* absolute, without .. */
    _ARGUMENT_RULE_MAX,
    _ARGUMENT_RULE_INVALID = -EINVAL,
} ArgumentRule;

/* an argument of all commands: report the changes without making them */
#define COMMAND_DRY_RUN "dry_run"

typedef enum ArgumentSource {
    ARGUMENT_FROM_MANAGER,
    ARGUMENT_FROM_COMMAND, /* the name under which the manager ordered the command */
    ARGUMENT_FROM_ADDRESS, /* the first IPv4 address of this server */
    ARGUMENT_FROM_CLOUD,   /* the number of this server's cloud, as the manager says; none */
    ARGUMENT_FROM_REGION,  /* the name of its region there; none */
    ARGUMENT_FROM_OWNER,   /* "ours" or "foreign": who created the user of another argument */
} ArgumentSource;

/* Smallest or largest value of an integer or a number. */
typedef struct ArgumentBound {
    bool is_set;
    bool is_integer;
    int64_t integer; /* if it is one */
    double number;   /* in any case */
} ArgumentBound;

typedef struct Argument {
    const char *name;
    ArgumentType type;
    bool mandatory;
    bool secret;          /* only the job may read its value */
    bool nullable;        /* null is allowed although it is mandatory; the value is then not set */
    const char *help;     /* one line, for people */
    const char *fallback; /* default value as text, or NULL */
    char *const *choices; /* all permitted values of a string, or NULL */
    ArgumentBound min, max;
    /* of a string or of base64 in bytes, as it is decoded; of a list in elements; max 0: no limit
     */
    size_t min_length, max_length;
    const char *user;  /* for ARGUMENT_FROM_OWNER: argument with the user's name */
    ArgumentRule rule; /* of a string */
    ArgumentSource source;
} Argument;

const char *argument_type_to_string(ArgumentType type) _const_;
ArgumentType argument_type_from_string(const char *s) _pure_;
ArgumentRule argument_rule_from_string(const char *s) _pure_;

/* Whether the argument is announced to the manager, and may come from it. */
bool argument_is_public(const Argument *a) _pure_;

/* Which values the argument may have, for people and empty if any: "1 to 100", "one of a, b",
 * "path", "at most 64 bytes". */
void argument_describe_values(const Argument *a, char *buf, size_t size);

/* Whether a script with positional arguments receives the value as a file. */
bool argument_is_file(const Argument *a) _pure_;
