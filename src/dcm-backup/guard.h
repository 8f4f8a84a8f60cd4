/* SPDX-License-Identifier: Apache-2.0 */
/* What holds the data still while they are read, and is always undone: by guard_end(), or by a unit
 * of systemd when this process ends without it, however that ends. */
#pragma once

#include "dcm-backup/work.h"

#define GUARD_LOCK_SEC_MAX 3600 /* that services are held */

typedef struct Guard Guard;

/* Runs the hook `pre`; locks the services, or makes snapshots of what the paths are on. *ret may be
 * NULL: there is nothing to undo. */
int guard_begin(Work *w, char *const *paths, Guard **ret);
/* Whether what was read until now was held still: fails if a snapshot did not last. */
int guard_check(Work *w, const Guard *g);
/* Undoes it, runs the hook `post`; frees. Fails also as guard_check(), or if the lock of services
 * did not last. */
int guard_end(Work *w, Guard *g);

/* For Stage.prepare of what reads: the snapshots are where the paths are, for this process alone.
 */
int guard_enter(const void *guard);
bool guard_has_snapshots(const Guard *g) _pure_;

/* For the unit; these return an exit status, or a negative errno that they have logged. Waits until
 * the run has ended; undoes what the run has left. */
int guard_watch(const char *name);
int guard_release(const char *name);
