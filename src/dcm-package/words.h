/* SPDX-License-Identifier: Apache-2.0 */
/* Words for a package manager: a verb, its options, and names. */
#pragma once

#include "basic/strv.h"

typedef struct Words {
    char **words;
    size_t n;
} Words;

void words_done(Words *a);
/* For argv; NULL: there are none. */
const char *const *words_get(const Words *a) _pure_;
int words_add(Words *a, const char *word);
/* `more` may be NULL. */
int words_add_all(Words *a, const char *const *more);
/* "NAME" and, unless the version is empty or NULL, the separator and the version. */
int words_add_version(Words *a, const char *name, char separator, const char *version);
