/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* Frees a NULL-terminated list and its strings; the list may be NULL. */
static inline void strv_free(char **list) {
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}
DEFINE_CLEANUP(char **, strv_free)

/* Appends `text` to the list of *n strings and takes ownership of it, even on failure, when it is
 * freed. If `text` is NULL, returns -ENOMEM, so that a caller may pass the result of strdup()
 * unchecked. */
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
