/* SPDX-License-Identifier: Apache-2.0 */
#include "backup/object-name.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "basic/bounds.h"

#define YEAR_MAX 9999

const char *const series_kind_names[_SERIES_KIND_MAX] = {"data_source", "service", "paths"};

static const char *const suffixes[_SERIES_KIND_MAX] = {".zip", "", ".tar"};

void stamp_format(uint64_t time_usec, char ret[static STAMP_SIZE]) {
    const time_t seconds = (time_t)(time_usec / USEC_PER_SEC);
    struct tm tm = {};
    size_t n;

    if (!gmtime_r(&seconds, &tm) || tm.tm_year + 1900 > YEAR_MAX)
        tm = (struct tm){.tm_year = YEAR_MAX - 1900, .tm_mon = 11, .tm_mday = 31};
    n = strftime(ret, STAMP_SIZE, "%Y%m%d.%H%M%S.", &tm);
    (void)snprintf(ret + n, STAMP_SIZE - n, "%06u", (unsigned)(time_usec % USEC_PER_SEC));
}

static bool has_form(const char *text) {
    static const char form[] = "dddddddd.dddddd.dddddd";

    for (size_t i = 0; i < STAMP_SIZE - 1; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return true;
}

static int number(const char *text, size_t size) {
    int n = 0;

    for (size_t i = 0; i < size; i++)
        n = n * 10 + (text[i] - '0');
    return n;
}

/* What the calendar does not have becomes another text when it is written again. */
bool stamp_parse(const char *text, size_t size, uint64_t *ret_usec) {
    char again[STAMP_SIZE];
    struct tm tm = {};
    time_t seconds;
    uint64_t usec;

    if (size != STAMP_SIZE - 1 || !has_form(text))
        return false;
    tm = (struct tm){.tm_year = number(text, 4) - 1900,
                     .tm_mon = number(text + 4, 2) - 1,
                     .tm_mday = number(text + 6, 2),
                     .tm_hour = number(text + 9, 2),
                     .tm_min = number(text + 11, 2),
                     .tm_sec = number(text + 13, 2)};
    seconds = timegm(&tm);
    if (seconds < 0)
        return false;
    usec = (uint64_t)seconds * USEC_PER_SEC + (uint64_t)number(text + 16, 6);
    stamp_format(usec, again);
    if (memcmp(again, text, STAMP_SIZE - 1) != 0)
        return false;
    *ret_usec = usec;
    return true;
}

/* --- series ------------------------------------------------------------------------------------
 */

void series_done(Series *s) {
    free(s->id);
    free(s->prefix);
    *s = (Series){};
}

/* Lower case, and of that only a-z and 0-9. */
static char *safe_name(const char *name) {
    char *safe = malloc(strlen(name) + 1), *to = safe;

    for (const char *c = name; safe && *c; c++) {
        const char lower = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);

        if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9'))
            *to++ = lower;
    }
    if (safe)
        *to = 0;
    return safe;
}

static int make(SeriesKind kind, const char *service, const char *name, Series *s) {
    const bool has_both = kind == SERIES_DATA_SOURCE;
    const char *first = kind == SERIES_PATHS ? name : service;

    if (asprintf(&s->prefix, "%s-%s%s", first, has_both ? name : "", has_both ? "-" : "") < 0) {
        s->prefix = NULL;
        return -ENOMEM;
    }
    if (asprintf(&s->id, "%s-%s%s%s", series_kind_names[kind], first, has_both ? "-" : "",
                 has_both ? name : "") < 0) {
        s->id = NULL;
        return -ENOMEM;
    }
    return 0;
}

int series_init(SeriesKind kind, const char *service, const char *name, Series *ret) {
    _cleanup_free_ char *safe = kind == SERIES_DATA_SOURCE ? safe_name(name) : NULL;
    int r;

    *ret = (Series){.kind = kind};
    if (kind == SERIES_DATA_SOURCE && !safe)
        return -ENOMEM;
    r = make(kind, service, safe ?: name, ret);
    if (r < 0)
        series_done(ret);
    return r;
}

int series_object(const Series *s, uint64_t time_usec, char **ret) {
    char stamp[STAMP_SIZE];

    stamp_format(time_usec, stamp);
    return asprintf(ret, "%s%s%s", s->prefix, stamp, suffixes[s->kind]) < 0 ? -ENOMEM : 0;
}

bool series_has(const Series *s, const char *object, uint64_t *ret_usec) {
    const size_t prefix = strlen(s->prefix), suffix = strlen(suffixes[s->kind]),
                 size = strlen(object);

    return size == prefix + STAMP_SIZE - 1 + suffix && memcmp(object, s->prefix, prefix) == 0 &&
           streq(object + size - suffix, suffixes[s->kind]) &&
           stamp_parse(object + prefix, STAMP_SIZE - 1, ret_usec);
}
