/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of a command's file that contain values of its arguments:
 *     {NAME}       the value as text; `true` or `false` for a boolean; empty if it is not set
 *     {NAME:03}    an integer with leading zeros, here up to three digits
 *     {NAME?TEXT}  TEXT if the boolean is true, otherwise empty
 * Braces have no other meaning. Lists, bytes and secrets have no text. */
#pragma once

#include "proto/argument.h"

/* -EINVAL: invalid. `filled`: the text may also contain values that do not come from the
 * manager. */
int template_check(const char *text, const Argument *arguments, size_t n, bool filled);

/* Expands a text that template_check() has accepted. The caller frees the result. */
int template_expand(const char *text, const Argument *arguments, const ArgumentValue *values,
                    size_t n, char **ret);

/* The argument, if the text is a reference to it and nothing else; otherwise NULL. */
const Argument *template_is_argument(const char *text, const Argument *arguments, size_t n) _pure_;

/* Converts one value to text, which is empty if the value is not set. The caller frees it. */
int argument_to_text(const Argument *a, const ArgumentValue *v, char **ret);
