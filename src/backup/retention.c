/* SPDX-License-Identifier: Apache-2.0 */
#include "backup/retention.h"

#include <time.h>

#include "basic/bounds.h"

#define DAY_SEC ((int64_t)86400)
/* 1970-01-01 was a Thursday */
#define DAYS_BEFORE_MONDAY 3

static int64_t moment_of(uint64_t time_usec) {
    return (int64_t)time_usec;
}

static int64_t day_of(uint64_t time_usec) {
    return (int64_t)(time_usec / USEC_PER_SEC) / DAY_SEC;
}

static int64_t week_of(uint64_t time_usec) {
    return (day_of(time_usec) + DAYS_BEFORE_MONDAY) / 7;
}

static int64_t month_of(uint64_t time_usec) {
    const time_t seconds = (time_t)(time_usec / USEC_PER_SEC);
    struct tm tm = {};

    return gmtime_r(&seconds, &tm) ? (int64_t)tm.tm_year * 12 + tm.tm_mon : INT64_MAX;
}

bool retention_is_set(const Retention *r) {
    return r->newest > 0 || r->days > 0 || r->weeks > 0 || r->months > 0;
}

typedef struct Entry {
    uint64_t time_usec;
    size_t place;
} Entry;

static int compare_newest_first(const void *a, const void *b) {
    const Entry *x = a, *y = b;

    if (x->time_usec != y->time_usec)
        return x->time_usec > y->time_usec ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* The newest of each of the last `n_kept` periods. */
static void keep(const Entry *entries, size_t n, unsigned n_kept, int64_t (*period)(uint64_t),
                 bool *delete) {
    for (size_t i = 0; i < n && n_kept > 0; i++)
        if (i == 0 || period(entries[i].time_usec) != period(entries[i - 1].time_usec)) {
            delete[entries[i].place] = false;
            n_kept--;
        }
}

void retention_choose(const Retention *r, const uint64_t *times_usec, size_t n, bool *ret_delete) {
    _cleanup_free_ Entry *entries = calloc(n + 1, sizeof(Entry));

    for (size_t i = 0; i < n; i++)
        ret_delete[i] = entries && retention_is_set(r);
    if (!entries || n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        entries[i] = (Entry){times_usec[i], i};
    qsort(entries, n, sizeof(Entry), compare_newest_first);
    keep(entries, n, MAX(r->newest, 1u), moment_of, ret_delete);
    keep(entries, n, r->days, day_of, ret_delete);
    keep(entries, n, r->weeks, week_of, ret_delete);
    keep(entries, n, r->months, month_of, ret_delete);
}
