/* SPDX-License-Identifier: Apache-2.0 */
/* What this process itself takes. */
#pragma once

#include "basic/macro.h"
#include "health/proc-file.h"

typedef struct Footprint {
    uint64_t cpu_usec; /* used since it was started, user and system together */
    uint64_t resident_bytes;
    uint64_t proportional_bytes; /* pages that others share count by their part; 0: not known */
    unsigned n_files;            /* open descriptors */
} Footprint;

typedef struct FootprintFiles {
    ProcFile statm, rollup;
} FootprintFiles;

#define FOOTPRINT_FILES_INIT ((FootprintFiles){.statm = PROC_FILE_INIT, .rollup = PROC_FILE_INIT})

int footprint_read(FootprintFiles *f, int root_fd, ProcText *text, Footprint *ret);
void footprint_files_close(FootprintFiles *f);

/* statm: pages; smaps_rollup: bytes. -EBADMSG. */
int resident_pages_parse(const char *text, uint64_t *ret);
int proportional_parse(const char *text, uint64_t *ret);
