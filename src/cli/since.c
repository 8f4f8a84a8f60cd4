/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/since.h"

#include <stdio.h>
#include <time.h>

#include "basic/time-util.h"

#define SPAN_SECONDS_MAX (100.0 * 365 * 86400)

static int parse_unit(const char **p, double *ret_seconds) {
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"min", 60}, {"m", 60}, {"s", 1}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400.0}};

    for (size_t i = 0; i < ELEMENTSOF(units); i++) {
        size_t size = strlen(units[i].name);

        if (strncmp(*p, units[i].name, size) == 0 && ((*p)[size] == ' ' || (*p)[size] == 0)) {
            *p += size + strspn(*p + size, " ");
            *ret_seconds = units[i].seconds;
            return 0;
        }
    }
    return -EINVAL;
}

/* Up to the end of the text, or up to "ago". */
static int parse_span(const char *text, bool *ret_is_ago, double *ret_seconds) {
    double sum = 0, unit = 0;
    const char *p = text;

    while (*p && !streq(p, "ago")) {
        char *end;
        double n = strtod(p, &end);

        if (*p < '0' || *p > '9' || end == p)
            return -EINVAL;
        p = end + strspn(end, " ");
        TRY(parse_unit(&p, &unit));
        sum += n * unit;
    }
    if (p == text || !(sum >= 0 && sum <= SPAN_SECONDS_MAX))
        return -EINVAL;
    *ret_is_ago = *p;
    *ret_seconds = sum;
    return 0;
}

static int take_time(struct tm *tm, uint64_t *ret_usec) {
    time_t t;

    tm->tm_isdst = -1;
    t = mktime(tm);
    if (t == (time_t)-1)
        return -EINVAL;
    *ret_usec = (uint64_t)t * USEC_PER_SEC;
    return 0;
}

static bool parse_with(const char *text, const char *format, struct tm *tm) {
    const char *end = strptime(text, format, tm);

    return end && !*end;
}

static int parse_date(const char *text, const struct tm *today, uint64_t *ret_usec) {
    static const char *const of_a_day[] = {"%H:%M", "%H:%M:%S"};
    static const char *const whole[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"};

    for (size_t i = 0; i < ELEMENTSOF(of_a_day); i++) {
        struct tm tm = *today;

        if (parse_with(text, of_a_day[i], &tm))
            return take_time(&tm, ret_usec);
    }
    for (size_t i = 0; i < ELEMENTSOF(whole); i++) {
        struct tm tm = {};

        if (parse_with(text, whole[i], &tm))
            return take_time(&tm, ret_usec);
    }
    return -EINVAL;
}

int since_parse(const char *text, uint64_t now_usec, uint64_t *ret_usec) {
    time_t now = (time_t)(now_usec / USEC_PER_SEC);
    bool is_minus = *text == '-', is_ago;
    struct tm today;
    double seconds;

    if (streq(text, "now")) {
        *ret_usec = now_usec;
        return 0;
    }
    if (parse_span(text + is_minus, &is_ago, &seconds) >= 0 && is_minus != is_ago) {
        *ret_usec = now_usec - MIN(now_usec, (uint64_t)(seconds * (double)USEC_PER_SEC));
        return 0;
    }
    if (!localtime_r(&now, &today))
        return -EINVAL;
    today.tm_hour = today.tm_min = today.tm_sec = 0;
    if (streq(text, "yesterday"))
        today.tm_mday--;
    if (streq(text, "today") || streq(text, "yesterday"))
        return take_time(&today, ret_usec);
    return parse_date(text, &today, ret_usec);
}

int span_parse(const char *text, uint64_t *ret_usec) {
    double seconds;
    bool is_ago;

    if (parse_span(text, &is_ago, &seconds) < 0 || is_ago || seconds <= 0)
        return -EINVAL;
    *ret_usec = (uint64_t)(seconds * (double)USEC_PER_SEC);
    return 0;
}
