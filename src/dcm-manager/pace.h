/* SPDX-License-Identifier: Apache-2.0 */
/* So many events per second at most, and after a calm those of one second at once; by
 * CLOCK_BOOTTIME. */
#pragma once

#include "basic/macro.h"
#include "basic/time-util.h"

typedef struct Pace {
    double per_sec; /* 0: no limit */
    double left;
    uint64_t since_usec; /* when `left` was right */
} Pace;

static inline void pace_advance(Pace *p, uint64_t now) {
    double gained = (double)(now - p->since_usec) / (double)USEC_PER_SEC * p->per_sec;

    p->left = MIN(p->left + gained, MAX(p->per_sec, 1.0));
    p->since_usec = now;
}

/* When the next event may be; 0: now. */
static inline uint64_t pace_wait_usec(Pace *p, uint64_t now) {
    if (p->per_sec <= 0)
        return 0;
    pace_advance(p, now);
    return p->left >= 1 ? 0 : (uint64_t)((1 - p->left) / p->per_sec * (double)USEC_PER_SEC) + 1;
}

/* Counts an event, if it may be now. */
static inline bool pace_take(Pace *p, uint64_t now) {
    if (pace_wait_usec(p, now) > 0)
        return false;
    p->left -= p->per_sec > 0;
    return true;
}
