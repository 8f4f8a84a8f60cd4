/* SPDX-License-Identifier: Apache-2.0 */
/* One statistic: its definition and its samples. */
#pragma once

#include <sys/queue.h>

#include "health/series.h"

/* Each owner has its own name space. */
typedef enum StatOwner {
    STAT_OWNER_MANAGER, /* by commands; the caller restores them after a restart */
    STAT_OWNER_AGENT,   /* by the agent itself, for alerts and views */
    _STAT_OWNER_MAX,
} StatOwner;

typedef struct StatDefinition {
    const char *name;
    const StatType *type;
    size_t hold;            /* 1 to STAT_HOLD_MAX */
    uint64_t interval_usec; /* STAT_INTERVAL_USEC_MIN to STAT_INTERVAL_USEC_MAX */
    StatOwner owner;
    bool is_inherited; /* restored from an earlier process, and not yet confirmed by the manager */
} StatDefinition;

typedef struct Stat {
    StatDefinition definition;
    char *name;
    Series *series[STAT_COMPONENTS_MAX];
    size_t n_series;
    struct Group *group; /* of health.c; samples it */
    TAILQ_ENTRY(Stat) in_group, stats;
} Stat;

/* Copies `d`. -ENOBUFS: the budget has no room for so many samples. */
int stat_new(const StatDefinition *d, SeriesBudget *budget, Stat **ret);
Stat *stat_free(Stat *s);
DEFINE_CLEANUP(Stat *, stat_free)

const StatDefinition *stat_get_definition(const Stat *s) _const_;
/* Confirms an inherited definition; false if it was not inherited. */
bool stat_take_over(Stat *s);
/* One for each component type. */
size_t stat_get_n_series(const Stat *s) _pure_;
const Series *stat_get_series(const Stat *s, size_t i) _pure_;
/* {"status": [...]}, oldest first, of about size_max bytes at most; *ret_left_out: number of older
 * samples that did not fit. */
int stat_to_json(const Stat *s, size_t size_max, struct json_object **ret, size_t *ret_left_out);
