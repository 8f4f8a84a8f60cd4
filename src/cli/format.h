/* SPDX-License-Identifier: Apache-2.0 */
/* Times, spans and sizes as people read them. */
#pragma once

#include "basic/macro.h"

#define FORMAT_SIZE 48

/* "Sun 2026-11-22 20:01:38 UTC" in local time; "-" for 0. Returns `buf`. */
const char *format_time(uint64_t usec, char buf[static FORMAT_SIZE]);
/* The same for a column of a table: without the day of the week. */
const char *format_time_short(uint64_t usec, char buf[static FORMAT_SIZE]);
/* "850ms", "12.3s", "5min 12s", "3d 4h" */
const char *format_span(uint64_t usec, char buf[static FORMAT_SIZE]);
/* "512B", "1.5M": powers of 1024 */
const char *format_bytes(double bytes, char buf[static FORMAT_SIZE]);
