/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership helpers: cleanup attributes, TAKE_PTR(), and a few spellings used everywhere. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(freep)
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _sentinel_ __attribute__((sentinel))
#define _const_ __attribute__((const))
#define _pure_ __attribute__((pure))
#define _unused_ __attribute__((unused))

/* EX_DATAERR of sysexits.h: a newer version made the database. A restart does not help, so the
 * units list it in RestartPreventExitStatus=. */
#define EXIT_NEWER_DATABASE 65

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define streq(a, b) (strcmp((a), (b)) == 0)
#undef MIN /* sys/param.h and GLib (tests) define them too */
#undef MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Moves ownership out of a variable that has a cleanup attribute. */
#define TAKE_PTR(ptr)                                                                              \
    ({                                                                                             \
        typeof(ptr) *_pptr = &(ptr);                                                               \
        typeof(ptr) _p = *_pptr;                                                                   \
        *_pptr = NULL;                                                                             \
        _p;                                                                                        \
    })

/* Returns the error from the calling function if the expression is a negative errno. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        int _r = (expression);                                                                     \
        if (_r < 0)                                                                                \
            return _r;                                                                             \
    } while (0)

/* Defines foop(), the cleanup function of a `foo *` whose release is func(foo *). */
#define DEFINE_CLEANUP(type, func)                                                                 \
    static inline _unused_ void func##p(type *p) {                                                 \
        if (*p)                                                                                    \
            func(*p);                                                                              \
    }

static inline void freep(void *p) {
    free(*(void **)p);
}

static inline bool streq_ptr(const char *a, const char *b) {
    return (!a && !b) || (a && b && streq(a, b));
}

static inline bool isempty(const char *s) {
    return !s || !*s;
}

static inline const char *strempty(const char *s) {
    return s ?: "";
}

static inline const char *yes_no(bool b) {
    return b ? "yes" : "no";
}

/* Replaces an owned string by a copy of `value` (which may be NULL). -ENOMEM leaves the old
 * string. */
static inline int free_and_strdup(char **p, const char *value) {
    char *copy = NULL;

    if (value) {
        copy = strdup(value);
        if (!copy)
            return -ENOMEM;
    }
    free(*p);
    *p = copy;
    return 0;
}
