/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the whole machine, from proc(5). The parsers take the file's text, for tests. */
#pragma once

#include "basic/macro.h"

typedef struct CpuTimes {
    uint64_t busy; /* ticks of all processors together */
    uint64_t total;
} CpuTimes;

typedef struct MemoryUse {
    uint64_t total_bytes;
    uint64_t used_bytes; /* as the old agent counted: the page cache is used memory */
} MemoryUse;

/* -EBADMSG: the text is not of that file. */
int cpu_times_parse(const char *text, CpuTimes *ret);
int memory_use_parse(const char *text, MemoryUse *ret);

int cpu_times_read(CpuTimes *ret);   /* /proc/stat */
int memory_use_read(MemoryUse *ret); /* /proc/meminfo */
/* Percent, 0 to 100, that the processors were busy between the two. */
double cpu_load_percent(const CpuTimes *before, const CpuTimes *after) _pure_;
/* Number of processes that are to be seen in /proc. */
int process_count_read(unsigned *ret);
