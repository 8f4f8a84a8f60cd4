/* SPDX-License-Identifier: Apache-2.0 */
/* Counters that only grow, until they wrap or their device is made anew. */
#pragma once

#include "basic/macro.h"

/* What was counted between two readings. One that has gone back has wrapped if it was near the end
 * of 32 or 64 bits and is near the beginning now; else it is a new device's, of which nothing is
 * known: 0. */
static inline uint64_t counter_delta(uint64_t before, uint64_t now) {
    const uint64_t quarter = UINT64_C(1) << 30;

    if (now >= before)
        return now - before;
    if (before <= UINT32_MAX)
        return before >= 3 * quarter && now < quarter ? (uint64_t)(uint32_t)(now - before) : 0;
    return now - before < UINT64_MAX / 4 && before > UINT64_MAX / 4 * 3 ? now - before : 0;
}
