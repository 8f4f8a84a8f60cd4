/* SPDX-License-Identifier: Apache-2.0 */
/* Where a volume is mounted: the directory, and the lines of fstab(5) and crypttab(5). Each returns
 * 0, 1 (refused) or a negative errno. */
#pragma once

#include "volume/plan.h"

/* That something may be mounted there; `top`: what will be, or NULL while it is not there yet. */
int check_place(const Facts *f, const char *path, const Block *top, Refusal *ret);

/* That the file systems above it are mounted. "parent" */
int check_above(const Facts *f, const char *path, Refusal *ret);

/* A line for that mount point; of others, or ours. NULL: there is none. */
const TabEntry *find_fstab(const Facts *f, const char *path, bool ours) _pure_;

/* That no line of anybody else gives the device another use than `path` and `mapping` (either may
 * be NULL). "fstab", "crypttab" */
int check_claims(const Facts *f, const Block *b, const char *path, const char *mapping,
                 Refusal *ret);
