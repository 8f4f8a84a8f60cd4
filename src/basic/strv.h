/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* Frees a NULL-terminated list of strings, with the strings; NULL is allowed. */
static inline void strv_free(char **list) {
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}
