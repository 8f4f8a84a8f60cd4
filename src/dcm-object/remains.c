/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/remains.h"

#include <stdio.h>
#include <time.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/strv.h"
#include "basic/time-util.h"

#define MARK ".dcm-" /* .NAME.dcm-0123abcd */
#define DIGITS 8

typedef struct Finder {
    uint64_t before_usec;
    char **names;
    size_t n;
} Finder;

static void finder_done(Finder *x) {
    strv_free(x->names);
}

static bool is_remains(const char *name) {
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    const size_t size = strlen(last), tail = strlen(MARK) + DIGITS;

    return *last == '.' && size > tail + 1 &&
           strncmp(last + size - tail, MARK, strlen(MARK)) == 0 &&
           strspn(last + size - DIGITS, "0123456789abcdef") == DIGITS;
}

/* RFC 3339. 0: it is not to be understood, and so nothing is said about the age. */
static uint64_t parse_time(const char *text) {
    struct tm tm = {};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int hours = 0, minutes = 0;
    char sign = '+';
    time_t time;

    if (!rest)
        return 0;
    rest += *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
    if (!streq(rest, "Z") && sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3)
        return 0;
    time = timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
    return time > 0 ? (uint64_t)time * USEC_PER_SEC : 0;
}

static int on_object(void *userdata, const char *name, const ObjectInfo *info) {
    Finder *x = userdata;
    const uint64_t time_usec = parse_time(info->modified);

    if (!is_remains(name) || time_usec == 0 || time_usec > x->before_usec)
        return 0;
    if (x->n >= OBJECTS_LISTED_MAX)
        return -ENOBUFS;
    return strv_push(&x->names, &x->n, strdup(name));
}

/* "a/tree-" becomes "a/.tree-" */
static int hidden_prefix(const char *prefix, char **ret, Failure *f) {
    const char *slash = strrchr(prefix, '/');
    const size_t folder = slash ? (size_t)(slash - prefix) + 1 : 0;

    if (asprintf(ret, "%.*s.%s", (int)folder, prefix, prefix + folder) >= 0)
        return 0;
    *ret = NULL;
    return failure_set(f, FAILURE_OTHER, "No memory");
}

static int remove_all(Store *s, const Finder *x, unsigned *ret_removed, Failure *f) {
    for (size_t i = 0; i < x->n; i++) {
        if (s->operations->remove(s, x->names[i], f) >= 0)
            ++*ret_removed;
        else if (f->code != FAILURE_NO_OBJECT)
            return -EIO;
    }
    return 0;
}

static int remove_files(Store *s, const char *prefix, uint64_t age_usec, unsigned *ret_removed,
                        Failure *f) {
    _cleanup_(finder_done) Finder x = {.before_usec = now_usec(CLOCK_REALTIME) - age_usec};
    _cleanup_free_ char *hidden = NULL;

    TRY(hidden_prefix(prefix, &hidden, f));
    TRY(s->operations->list(s, hidden, on_object, &x, f));
    return remove_all(s, &x, ret_removed, f);
}

int remains_remove(Store *s, const char *prefix, uint64_t age_usec, unsigned *ret_removed,
                   Failure *f) {
    *ret_removed = 0;
    if (s->writes_in_place)
        return remove_files(s, prefix, age_usec, ret_removed, f);
    return s->operations->end_uploads ? s->operations->end_uploads(s, prefix, age_usec, f) : 0;
}
