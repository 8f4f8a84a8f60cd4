/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of md, from /sys/block: whether disks are missing, and how far a resync is. */
#pragma once

#include "basic/macro.h"

#define MD_ARRAY_NAME_SIZE 32

typedef struct MdArray {
    char name[MD_ARRAY_NAME_SIZE]; /* md127 */
    bool is_started;
    uint64_t n_disks, n_missing; /* not started: as far as it is known */
    double synced;               /* share of a resync that is done; NAN: none runs */
} MdArray;

typedef struct MdArrayTable {
    MdArray *arrays;
    size_t n, allocated;
} MdArrayTable;

/* No array is no error. */
int md_array_table_read(MdArrayTable *t, int root_fd);
void md_array_table_done(MdArrayTable *t);
