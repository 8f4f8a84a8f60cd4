/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and lines of files of proc(5). These are read each second, and so not by sscanf(3). */
#pragma once

#include <ctype.h>

#include "basic/macro.h"

/* Moves on past blanks and a decimal number that fits; false: there is none. */
static inline bool scan_u64(const char **p, uint64_t *ret) {
    const char *s = *p;
    uint64_t n = 0;

    s += strspn(s, " \t");
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++)
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
            return false;
    *p = s;
    *ret = n;
    return true;
}

/* So many numbers in a row. */
static inline bool scan_list(const char **p, uint64_t *ret, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!scan_u64(p, &ret[i]))
            return false;
    return true;
}

/* "12.34": a number as the kernel prints its averages. */
static inline bool scan_decimal(const char **p, double *ret) {
    uint64_t whole, part;
    double scale = 1;
    const char *s;

    if (!scan_u64(p, &whole))
        return false;
    *ret = (double)whole;
    if (**p != '.')
        return true;
    s = ++*p;
    if (!isdigit((unsigned char)*s) || !scan_u64(p, &part))
        return false;
    for (; s < *p; s++)
        scale *= 10;
    *ret += (double)part / scale;
    return true;
}

/* The line after this one; NULL: that was the last. */
static inline const char *scan_next_line(const char *line) {
    const char *end = strchr(line, '\n');

    return end && end[1] ? end + 1 : NULL;
}

/* The word that begins here, blanks before it skipped; it ends at a blank or with the line. */
static inline size_t scan_word(const char **p) {
    *p += strspn(*p, " \t");
    return strcspn(*p, " \t\n");
}
