/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <time.h>

#include "basic/bounds.h"

static inline uint64_t timespec_to_usec(const struct timespec *ts) {
    return (uint64_t)ts->tv_sec * USEC_PER_SEC + (uint64_t)ts->tv_nsec / 1000;
}

/* Current time in microseconds. For comparisons and waits use CLOCK_BOOTTIME. */
static inline uint64_t now_usec(clockid_t clock) {
    struct timespec ts = {};

    (void)clock_gettime(clock, &ts);
    return timespec_to_usec(&ts);
}
