/* SPDX-License-Identifier: Apache-2.0 */
/* Values of configuration files. */
#pragma once

#include "basic/macro.h"

/* Words with blanks or commas between them; frees the list that was there. */
int parse_words(const char *text, char ***ret);

/* yes, true, on, 1 and their opposites, in any case. -EINVAL: none of them. */
int parse_bool(const char *value, bool *ret);

/* A whole number of bytes, perhaps with K, M, G or T behind it, which are powers of 1024. -EINVAL.
 */
int parse_size(const char *text, uint64_t *ret);

/* Absolute ones, perhaps with a dash before them, that do not lead upward. */
bool paths_are_valid(char *const *paths) _pure_;
