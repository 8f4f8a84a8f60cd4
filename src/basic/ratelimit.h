/* SPDX-License-Identifier: Apache-2.0 */
/* At most `burst` events per interval, measured by CLOCK_BOOTTIME, which includes sleep. */
#pragma once

#include "basic/macro.h"
#include "basic/time-util.h"

typedef struct RateLimit {
    uint64_t interval_usec;
    unsigned burst;
    uint64_t begin_usec;
    unsigned n; /* in this interval, including those above the limit */
} RateLimit;

/* Counts one event; true if it is within the limit. *ret_missed: number of events above the limit
 * in the interval that has just ended; 0 within an interval. */
static inline bool ratelimit_below(RateLimit *l, unsigned *ret_missed) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);

    *ret_missed = 0;
    if (l->begin_usec == 0 || now - l->begin_usec >= l->interval_usec) {
        *ret_missed = l->n > l->burst ? l->n - l->burst : 0;
        l->begin_usec = now;
        l->n = 0;
    }
    return ++l->n <= l->burst;
}
