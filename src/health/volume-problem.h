/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with the disk volumes of this machine now, for people who ask: arrays that lack
 * disks or were not started, and mounts of fstab(5) that are not there. The statistics "arrays" and
 * "mounts" have the same as figures. */
#pragma once

#include "health/md-array.h"
#include "health/wanted-mount.h"

typedef struct VolumeProblems {
    MdArrayTable arrays; /* all of them, also those without a problem */
    MissingMounts mounts;
} VolumeProblems;

/* Below this root directory. */
int volume_problems_read(VolumeProblems *p, int root_fd);
void volume_problems_done(VolumeProblems *p);

/* Whether it lacks disks, or was not started. */
bool md_array_has_problem(const MdArray *a) _pure_;

/* One English line for each problem; ends with NULL. The caller frees. */
int volume_problems_describe(const VolumeProblems *p, char ***ret);
