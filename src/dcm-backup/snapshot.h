/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of file systems, for as long as they are read. */
#pragma once

#include "dcm-backup/work.h"
#include "proto/fields.h"

typedef struct Snapshot {
    bool is_btrfs;
    char *mount_point;
    char *origin; /* LVM: VG/LV */
    char *name;   /* LVM: VG/LV of the snapshot; btrfs: its path */
    char *fs_type;
} Snapshot;

typedef struct GuardState {
    char *post, *series;
    bool is_locked;
    Snapshot *snapshots;
    size_t n_snapshots;
} GuardState;

extern const FieldTable snapshot_table;

/* Finds out on which file systems the paths, and what is below them, are; those above come first.
 * Fails where there can be no snapshot. */
int snapshots_plan(Work *w, char *const *paths, const char *name, GuardState *s);
int snapshot_make(Work *w, const Snapshot *s);
/* Whether it was whole until now: one of LVM that is full is lost. */
int snapshot_check(Work *w, const Snapshot *s);
/* That there is none is no failure. */
int snapshot_remove(Work *w, const Snapshot *s);
/* Puts them over the mount points, in a mount namespace of this process alone. */
int snapshots_enter(const GuardState *s);
