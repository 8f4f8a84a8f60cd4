/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics that the manager has defined; their samples are not stored. */
#pragma once

#include "store/store.h"

typedef struct StoredStat {
    const char *name;
    const char *type;
    uint64_t hold;
    uint64_t interval_usec;
} StoredStat;

/* In place of one of that name. */
int store_set_stat(Store *s, const StoredStat *stat);
int store_remove_stat(Store *s, const char *name);
/* By name. A result that is not 0 ends it; a negative one is returned. */
int store_visit_stats(Store *s, int (*visit)(const StoredStat *stat, void *userdata),
                      void *userdata);
