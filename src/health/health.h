/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics that are sampled at an interval. One timer wakes up for all definitions of the same
 * interval, and reads each source once; without definitions nothing is open and nothing wakes up.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "health/stat.h"

typedef struct Health Health;

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

/* As if that interval's timer had ended: for benches and tests. */
void health_sample(Health *h, uint64_t interval_usec);
