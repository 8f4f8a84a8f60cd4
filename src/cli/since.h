/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as options name them: a part of what systemd.time(7) has. */
#pragma once

#include "basic/macro.h"

/* "2026-11-22", "2026-11-22 20:01", "2026-11-22 20:01:38" in local time, "20:01" and "20:01:38" of
 * today, "now", "today", "yesterday", "5min ago", "-1h 30min" (s, min, h, d, w). CLOCK_REALTIME.
 * -EINVAL: none of these. */
int since_parse(const char *text, uint64_t now_usec, uint64_t *ret_usec);

/* "90s", "1h 30min", "7d": a length of time. -EINVAL: it is none, or 0. */
int span_parse(const char *text, uint64_t *ret_usec);
