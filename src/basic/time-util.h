/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <time.h>

#include "basic/bounds.h"

static inline uint64_t timespec_to_usec(const struct timespec *ts) {
    return (uint64_t)ts->tv_sec * USEC_PER_SEC + (uint64_t)ts->tv_nsec / 1000;
}

/* Microseconds of that clock. CLOCK_BOOTTIME for anything that is compared or waited for. */
static inline uint64_t now_usec(clockid_t clock) {
    struct timespec ts = {};

    (void)clock_gettime(clock, &ts);
    return timespec_to_usec(&ts);
}
