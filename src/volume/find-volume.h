/* SPDX-License-Identifier: Apache-2.0 */
/* The volume that a manager or a person means by a name. */
#pragma once

#include "volume/plan.h"

typedef struct FoundVolume {
    const char *path;    /* the mount point; NULL: a device or a mapping without any */
    const Mount *mount;  /* NULL: it is not mounted */
    const Block *top;    /* what has the file system; NULL: it is not there */
    const Block *device; /* that the name means; NULL: none */
    const char *mapping; /* that the name means, of a line of ours in crypttab(5); NULL: none */
    const Plan *record;  /* NULL: none */
} FoundVolume;

/* By its mount point; the device, under any name that resolve_device() knows; the mapping or the
 * array, with or without `es` before the name; or as the request named it. Only what is mounted,
 * has a record, or a line of ours in fstab(5) has a mount point. Returns 0, 1 (refused: "missing",
 * "ambiguous", "root-disk") or a negative errno. */
int find_volume(const Facts *f, const char *name, const Plan *records, size_t n_records,
                FoundVolume *ret, Refusal *ret_refusal);

/* Whether two records, or a record and a plan, are about one volume: several requests may have
 * mounted it. */
bool record_is_same(const Plan *a, const Plan *b) _pure_;
