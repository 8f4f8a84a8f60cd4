/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted, as PID 1 sees it, and swap. A job has a mount namespace of its own, so its own
 * tables do not count. */
#pragma once

#include "volume/facts.h"

/* Fill f->mounts and Block.swap; the blocks are known before. -E2BIG: more than MOUNTS_MAX. */
int look_mounts(Facts *f);
int look_swaps(Facts *f);

/* The same from the given files. */
int look_mounts_file(Facts *f, const char *mountinfo);
int look_swaps_file(Facts *f, const char *swaps);

/* The block with this device number, NULL: none. */
Block *find_block_by_number(const Facts *f, dev_t number) _pure_;
