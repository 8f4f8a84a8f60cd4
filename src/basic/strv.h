/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* Frees a NULL-terminated list of strings, with the strings; NULL is allowed. */
static inline void strv_free(char **list) {
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}

/* Puts an owned string behind the n of the list, also where it fails (then it is freed). NULL
 * fails: that of strdup(). */
static inline int strv_push(char ***list, size_t *n, char *text) {
    char **grown = text ? reallocarray(*list, *n + 2, sizeof(char *)) : NULL;

    if (!grown) {
        free(text);
        return -ENOMEM;
    }
    grown[(*n)++] = text;
    grown[*n] = NULL;
    *list = grown;
    return 0;
}
