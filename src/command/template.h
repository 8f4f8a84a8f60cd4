/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of a command's file that have values of its arguments in them:
 *
 *     {NAME}       the value as text, of a boolean `true` or `false`; nothing if it is not set
 *     {NAME:03}    of an integer, with zeros in front up to three digits
 *     {NAME?TEXT}  TEXT if the boolean is true, else nothing
 *
 * Braces stand for nothing else. Lists, bytes and secrets have no text. */
#pragma once

#include "proto/argument.h"

/* -EINVAL: it is none. `filled`: values that do not come from the manager can be in it, too. */
int template_check(const char *text, const Argument *arguments, size_t n, bool filled);

/* Of one that was checked. The caller frees. */
int template_expand(const char *text, const Argument *arguments, const ArgumentValue *values,
                    size_t n, char **ret);

/* The argument that the text is, and nothing else; NULL: it has other text too. */
const Argument *template_is_argument(const char *text, const Argument *arguments, size_t n) _pure_;

/* One value; empty if it is not set. The caller frees. */
int argument_to_text(const Argument *a, const ArgumentValue *v, char **ret);
