/* SPDX-License-Identifier: Apache-2.0 */
/* What devices hold: reads their signatures, and tests whether they are in use. */
#pragma once

#include "volume/facts.h"

/* Opens each block for reading; errors go to its probe_error. `exclusive`: sets `busy`, too.
 * -ENOMEM. */
int look_probe(Facts *f, bool exclusive);

/* udev does not know the UUID of an array that was not started: its members say it, the blocks are
 * probed before. -ENOMEM. */
int complete_arrays(Facts *f);

/* All signatures on an open device or file, as many as there are: two file systems on one device
 * are two. They belong to the caller's struct, which has none before. -E2BIG: more than
 * BLOCK_SIGNATURES_MAX. */
int probe_signatures(int fd, Block *b);

/* Whether the beginning of an open device or file looks like random data, as what is encrypted
 * does. A negative errno: it cannot be read. */
int probe_looks_random(int fd, bool *ret);
