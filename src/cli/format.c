/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "basic/time-util.h"

static const char *put_time(uint64_t usec, bool with_day, char buf[static FORMAT_SIZE]) {
    time_t t = (time_t)(usec / USEC_PER_SEC);
    bool has_room = t >= 0 && (uint64_t)t == usec / USEC_PER_SEC; /* it may have 32 bits */
    struct tm tm;
    size_t n = 0;

    if (usec > 0 && has_room && localtime_r(&t, &tm))
        n = with_day ? strftime(buf, FORMAT_SIZE, "%a %F %T %Z", &tm)
                     : strftime(buf, FORMAT_SIZE, "%F %T %Z", &tm);
    if (n == 0)
        (void)snprintf(buf, FORMAT_SIZE, "-");
    return buf;
}

const char *format_time(uint64_t usec, char buf[static FORMAT_SIZE]) {
    return put_time(usec, true, buf);
}

const char *format_time_short(uint64_t usec, char buf[static FORMAT_SIZE]) {
    return put_time(usec, false, buf);
}

const char *format_span(uint64_t usec, char buf[static FORMAT_SIZE]) {
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    uint64_t seconds = usec / USEC_PER_SEC;

    for (size_t i = 0; i + 1 < ELEMENTSOF(units); i++)
        if (seconds >= units[i].seconds) {
            (void)snprintf(buf, FORMAT_SIZE, "%" PRIu64 "%s %" PRIu64 "%s",
                           seconds / units[i].seconds, units[i].name,
                           seconds % units[i].seconds / units[i + 1].seconds, units[i + 1].name);
            return buf;
        }
    if (usec < USEC_PER_SEC)
        (void)snprintf(buf, FORMAT_SIZE, "%" PRIu64 "ms", usec / USEC_PER_MSEC);
    else
        (void)snprintf(buf, FORMAT_SIZE, "%.1fs", (double)usec / (double)USEC_PER_SEC);
    return buf;
}

const char *format_bytes(double bytes, char buf[static FORMAT_SIZE]) {
    static const char units[] = "BKMGTPE";
    size_t i = 0;

    for (; bytes >= 1024 && i + 2 < sizeof(units); i++)
        bytes /= 1024;
    (void)snprintf(buf, FORMAT_SIZE, i > 0 ? "%.1f%c" : "%.0f%c", bytes, units[i]);
    return buf;
}
