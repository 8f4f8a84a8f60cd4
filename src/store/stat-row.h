/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of statistics by the manager; their samples are not stored. */
#pragma once

#include "store/store.h"

typedef struct StoredStat {
    const char *name;
    const char *type;
    uint64_t hold;
    uint64_t interval_usec;
} StoredStat;

/* Replaces a definition of the same name. */
int store_set_stat(Store *s, const StoredStat *stat);
int store_remove_stat(Store *s, const char *name);
/* Visits by name. A result other than 0 ends the visit; a negative one is returned. */
int store_visit_stats(Store *s, int (*visit)(const StoredStat *stat, void *userdata),
                      void *userdata);
