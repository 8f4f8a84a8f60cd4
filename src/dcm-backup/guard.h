/* SPDX-License-Identifier: Apache-2.0 */
/* What holds the data still while they are read, and is always undone: by guard_end(), or by a unit
 * of systemd when this process ends without it, however that ends. */
#pragma once

#include "dcm-backup/work.h"

#define GUARD_UNIT "dcm-backup-guard-"

typedef struct Guard Guard;

/* Runs the hook `pre`; locks the services, or makes snapshots of what the paths are on. *ret may be
 * NULL: there is nothing to undo. */
int guard_begin(Work *w, char *const *paths, Guard **ret);
/* Undoes it, runs the hook `post`; frees. Fails also if a snapshot did not last. */
int guard_end(Work *w, Guard *g);

/* For Stage.prepare of what reads: the snapshots are where the paths are, for this process alone.
 */
int guard_enter(const void *guard);

/* For the unit; these return an exit status, or a negative errno that they have logged. Waits until
 * the process has ended; undoes what the run of this name has left. */
int guard_watch(const char *pid);
int guard_release(const char *name);
