/* SPDX-License-Identifier: Apache-2.0 */
/* Resource usage of this process. */
#pragma once

#include "basic/macro.h"
#include "health/proc-file.h"

typedef struct Footprint {
    uint64_t cpu_usec; /* since its start, user and system together */
    uint64_t resident_bytes;
    uint64_t proportional_bytes; /* each page divided by the number of its users; 0: unknown */
    unsigned n_files;            /* open descriptors */
} Footprint;

typedef struct FootprintFiles {
    ProcFile statm, rollup;
} FootprintFiles;

#define FOOTPRINT_FILES_INIT ((FootprintFiles){.statm = PROC_FILE_INIT, .rollup = PROC_FILE_INIT})

int footprint_read(FootprintFiles *f, int root_fd, ProcText *text, Footprint *ret);
void footprint_files_close(FootprintFiles *f);

/* Parse statm (pages) and smaps_rollup (bytes). -EBADMSG. */
int resident_pages_parse(const char *text, uint64_t *ret);
int proportional_parse(const char *text, uint64_t *ret);
