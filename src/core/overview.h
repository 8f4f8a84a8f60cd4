/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent samples of its own accord: an overview of the machine, kept at the configured
 * interval, and a live one while somebody watches. */
#pragma once

#include "health/health.h"

/* Keeps `hold` samples, one each interval; 0: none is taken. What was kept at another interval
 * goes. */
int overview_configure(Health *h, uint64_t interval_usec, size_t hold);
/* One each second, of which the last two minutes are kept. */
int overview_set_live(Health *h, bool live);
bool overview_is_live(const Stat *s) _pure_;
/* The newest sample of each type is in the live one, else in the kept one; NULL: there is none. */
const Stat *overview_get(const Health *h) _pure_;
