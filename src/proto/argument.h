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
    char *string; /* string, a number's or object's text, or decoded bytes with a NUL behind them */
    size_t size;
    char **list; /* NULL-terminated */
} ArgumentValue;

/* Fills ret[n], in the table's order; an absent value is the fallback. One that does not come from
 * the manager is not set. -EINVAL: *ret_error (the
 * caller frees) names the argument and what is wrong with it, never its value. `arguments` may be
 * NULL (none). */
int arguments_parse(const Argument *table, size_t n, struct json_object *arguments,
                    ArgumentValue *ret, char **ret_error);
void argument_values_done(ArgumentValue *values, size_t n);

/* The first key at or after position *i that the table does not know; NULL: no more. */
const char *arguments_next_unknown(const Argument *table, size_t n, struct json_object *arguments,
                                   size_t *i);
