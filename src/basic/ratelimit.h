/* SPDX-License-Identifier: Apache-2.0 */
/* So many in an interval, by the clock that counts on while the machine sleeps. */
#pragma once

#include "basic/macro.h"
#include "basic/time-util.h"

typedef struct RateLimit {
    uint64_t interval_usec;
    unsigned burst;
    uint64_t begin_usec;
    unsigned n; /* since then, those above the limit included */
} RateLimit;

/* Whether one more is within the limit. *ret_missed: how many were not in the interval that has
 * just ended; 0 within one. */
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
