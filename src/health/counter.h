/* SPDX-License-Identifier: Apache-2.0 */
/* Counters that only grow, until they wrap or their device is replaced. */
#pragma once

#include "basic/macro.h"

/* The difference between two readings. A counter that decreased has wrapped if it was near the end
 * of 32 or 64 bits before and is near the beginning now; otherwise it belongs to a new device, and
 * the result is 0. */
static inline uint64_t counter_delta(uint64_t before, uint64_t now) {
    const uint64_t quarter = UINT64_C(1) << 30;

    if (now >= before)
        return now - before;
    if (before <= UINT32_MAX)
        return before >= 3 * quarter && now < quarter ? (uint64_t)(uint32_t)(now - before) : 0;
    return now - before < UINT64_MAX / 4 && before > UINT64_MAX / 4 * 3 ? now - before : 0;
}
