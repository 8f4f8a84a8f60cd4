/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, sampled at intervals. One timer wakes up for all definitions with the same interval,
 * and reads each source once; without definitions no file is open and no timer armed. */
#pragma once

#include <systemd/sd-bus.h>

#include "health/stat.h"

typedef struct Health Health;

/* Reads proc and sys below `root`. */
int health_new(sd_event *event, const char *root, Health **ret);
Health *health_free(Health *h);
DEFINE_CLEANUP(Health *, health_free)
/* NULL: disconnected. Failed units are unknown without a bus. */
void health_set_bus(Health *h, sd_bus *bus);
/* `on_sample` is called for each new sample, from the loop, never from within a call. It must not
 * add or remove definitions. */
void health_set_observer(Health *h,
                         void (*on_sample)(const Stat *stat, const Series *series, void *userdata),
                         void *userdata);

/* -EEXIST: the name is in use; -ENOSPC: the owner has STATS_MAX; -EMLINK: the manager has
 * STAT_INTERVALS_MAX other intervals; -ENOBUFS: so many samples exceed the memory limit. Takes the
 * first reading at once, and the first sample one interval later. `ret` may be NULL. */
int health_add(Health *h, const StatDefinition *d, Stat **ret);
/* NULL: no such definition. */
Stat *health_find(const Health *h, StatOwner owner, const char *name) _pure_;
/* Also removes the samples. */
void health_remove(Health *h, Stat *stat);
/* A result of `visit` other than 0 ends the visit and is returned. */
int health_visit(const Health *h, int (*visit)(const Stat *stat, void *userdata), void *userdata);

/* Acts as if that interval's timer had expired: for benches and tests. */
void health_sample(Health *h, uint64_t interval_usec);
