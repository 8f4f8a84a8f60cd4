/* SPDX-License-Identifier: Apache-2.0 */
/* Values of configuration files. */
#pragma once

#include "basic/macro.h"

/* Splits the text at blanks and commas into *ret, whose former list is freed. */
int parse_words(const char *text, char ***ret);

/* yes, true, on, 1 and their opposites, in any case; otherwise -EINVAL. */
int parse_bool(const char *value, bool *ret);

/* A whole number of bytes, optionally with suffix K, M, G or T, which are powers of 1024; otherwise
 * -EINVAL. */
int parse_size(const char *text, uint64_t *ret);

/* Whether all paths are absolute, optionally with a leading dash, and have no "..". */
bool paths_are_valid(char *const *paths) _pure_;
