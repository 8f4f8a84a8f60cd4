/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of commands, checked against the command's table (docs/protocol, section 7). */
#pragma once

#include "proto/argument-type.h"
#include "proto/json.h"

typedef struct ArgumentValue {
    bool is_set;
    bool boolean;
    int64_t integer;
    double number;
    char *string; /* string, text of a number or object, or decoded bytes followed by a NUL */
    size_t size;
    char **list; /* NULL-terminated */
} ArgumentValue;

/* Fills ret[n] in the table's order; an absent argument gets its fallback. Arguments from other
 * sources than the manager stay unset. -EINVAL: *ret_error (the caller frees) names the argument
 * and its fault, never its value. `arguments` may be NULL (none). */
int arguments_parse(const Argument *table, size_t n, struct json_object *arguments,
                    ArgumentValue *ret, char **ret_error);
void argument_values_done(ArgumentValue *values, size_t n);

/* The first key from position *i on that is not in the table, or NULL. */
const char *arguments_next_unknown(const Argument *table, size_t n, struct json_object *arguments,
                                   size_t *i);
