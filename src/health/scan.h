/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of proc(5) files without sscanf(3), because they are read each second. */
#pragma once

#include <ctype.h>

#include "basic/macro.h"

/* Skips blanks and takes a decimal number off *p; false: none, or too large. */
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

/* Takes n numbers. */
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

/* The next line; NULL after the last one. */
static inline const char *scan_next_line(const char *line) {
    const char *end = strchr(line, '\n');

    return end && end[1] ? end + 1 : NULL;
}

/* Skips blanks and returns the size of the word at *p, which ends at a blank or with the line. */
static inline size_t scan_word(const char **p) {
    *p += strspn(*p, " \t");
    return strcspn(*p, " \t\n");
}
