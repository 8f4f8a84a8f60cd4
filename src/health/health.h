/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics that are sampled at an interval. One timer wakes up for all definitions of the same
 * interval, and reads each source once; without definitions nothing is open and nothing wakes up.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "health/series.h"

typedef struct Health Health;
typedef struct Stat Stat;

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

/* proc and sys are those below `root`. */
int health_new(sd_event *event, const char *root, Health **ret);
Health *health_free(Health *h);
DEFINE_CLEANUP(Health *, health_free)
/* NULL: it is gone. Failed units are known while there is one. */
void health_set_bus(Health *h, sd_bus *bus);
/* Told of each new sample, from the loop, never from inside of a call. It must not add or remove
 * definitions. */
void health_set_observer(Health *h,
                         void (*on_sample)(const Stat *stat, const Series *series, void *userdata),
                         void *userdata);

/* -EEXIST: the name is in use; -ENOSPC: the owner has STATS_MAX; -EMLINK: the
 * manager has STAT_INTERVALS_MAX other intervals; -ENOBUFS: there is no memory for so many samples.
 * The first reading is made at once, the first sample comes an interval later. *ret may be NULL. */
int health_add(Health *h, const StatDefinition *d, Stat **ret);
/* NULL: there is none. */
Stat *health_find(const Health *h, StatOwner owner, const char *name) _pure_;
/* With its samples. */
void health_remove(Health *h, Stat *stat);
/* A result of `visit` that is not 0 ends it, and is returned. */
int health_visit(const Health *h, int (*visit)(const Stat *stat, void *userdata), void *userdata);

const StatDefinition *stat_get_definition(const Stat *s) _const_;
/* It was inherited, and is not any more. */
bool stat_take_over(Stat *s);
/* One for each type that it consists of. */
size_t stat_get_n_series(const Stat *s) _pure_;
const Series *stat_get_series(const Stat *s, size_t i) _pure_;
/* {"status": [...]}, oldest first, about size_max bytes at most; how many older samples are left
 * out. */
int stat_to_json(const Stat *s, size_t size_max, struct json_object **ret, size_t *ret_left_out);

/* As if that interval's timer had ended: for benches and tests. */
void health_sample(Health *h, uint64_t interval_usec);
