/* SPDX-License-Identifier: Apache-2.0 */
/* The samples that the agent takes by itself: an overview of the machine at the configured
 * interval, and a live one while a client watches. */
#pragma once

#include "health/health.h"

/* Keeps `hold` samples, one each interval; 0: none. A change of the interval drops the kept
 * samples. */
int overview_configure(Health *h, uint64_t interval_usec, size_t hold);
/* Takes one sample each second, and keeps the last two minutes. */
int overview_set_live(Health *h, bool live);
bool overview_is_live(const Stat *s) _pure_;
/* The definition with the newest sample of each type: the live one, else the regular one; NULL:
 * none. */
const Stat *overview_get(const Health *h) _pure_;
