/* SPDX-License-Identifier: Apache-2.0 */
/* One statistic: its definition, and the samples that are kept of it. */
#pragma once

#include <sys/queue.h>

#include "health/series.h"

/* Each has names of its own. */
typedef enum StatOwner {
    STAT_OWNER_MANAGER, /* by commands; kept over restarts by the caller */
    STAT_OWNER_AGENT,   /* by ourselves, for alerts and views */
    _STAT_OWNER_MAX,
} StatOwner;

typedef struct StatDefinition {
    const char *name;
    const StatType *type;
    size_t hold;            /* 1 to STAT_HOLD_MAX */
    uint64_t interval_usec; /* STAT_INTERVAL_USEC_MIN to STAT_INTERVAL_USEC_MAX */
    StatOwner owner;
    bool is_inherited; /* from an earlier process, and not asked for in this one */
} StatDefinition;

typedef struct Stat {
    StatDefinition definition;
    char *name;
    Series *series[STAT_COMPONENTS_MAX];
    size_t n_series;
    struct Group *group; /* health.c: with which it is sampled */
    TAILQ_ENTRY(Stat) in_group, stats;
} Stat;

/* `d` is copied. -ENOBUFS: the budget has no room for so many samples. */
int stat_new(const StatDefinition *d, SeriesBudget *budget, Stat **ret);
Stat *stat_free(Stat *s);
DEFINE_CLEANUP(Stat *, stat_free)

const StatDefinition *stat_get_definition(const Stat *s) _const_;
/* It was inherited, and is not any more. */
bool stat_take_over(Stat *s);
/* One for each type that it consists of. */
size_t stat_get_n_series(const Stat *s) _pure_;
const Series *stat_get_series(const Stat *s, size_t i) _pure_;
/* {"status": [...]}, oldest first, about size_max bytes at most; how many older samples are left
 * out. */
int stat_to_json(const Stat *s, size_t size_max, struct json_object **ret, size_t *ret_left_out);
