/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, from /proc/meminfo, in bytes. */
#pragma once

#include "basic/macro.h"

typedef struct Memory {
    uint64_t total, free;
    uint64_t available; /* for new programs without swapping, estimated by the kernel */
    uint64_t cache;     /* buffers, page cache, and reclaimable slabs */
    uint64_t used;      /* neither free nor cache */
    uint64_t swap_total, swap_used;
} Memory;

/* -EBADMSG: not the text of that file. */
int memory_parse(const char *text, Memory *ret);
