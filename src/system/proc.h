/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the whole machine, from proc(5). The parsers take the file's text, so that tests can
 * call them. */
#pragma once

#include "basic/macro.h"

typedef struct CpuTimes {
    uint64_t busy; /* ticks of all processors together */
    uint64_t total;
} CpuTimes;

typedef struct MemoryUse {
    uint64_t total_bytes;
    uint64_t used_bytes; /* includes the page cache, as in the Python agent */
} MemoryUse;

/* -EBADMSG: not the text of that file. */
int cpu_times_parse(const char *text, CpuTimes *ret);
int memory_use_parse(const char *text, MemoryUse *ret);

int cpu_times_read(CpuTimes *ret);   /* /proc/stat */
int memory_use_read(MemoryUse *ret); /* /proc/meminfo */
/* Share of processor time that was busy between the two readings, 0 to 100 percent. */
double cpu_load_percent(const CpuTimes *before, const CpuTimes *after) _pure_;
/* Number of processes that /proc shows. */
int process_count_read(unsigned *ret);
