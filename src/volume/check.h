/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a device may be written. Each returns 0, 1 (refused) or a negative errno. */
#pragma once

#include "volume/plan.h"

/* That nothing uses it: mounts, swap, holders, of it and of its partitions, and O_EXCL. `own_array`
 * is the UUID of an array that is this request's: it may hold the device if nothing uses the array;
 * NULL: none. "in-use" */
int check_unused(const Facts *f, const Block *b, const char *own_array, Refusal *ret);

/* That it is a disk or something like it, not the root disk, not read-only, not empty, and
 * check_unused(). "kind", "root-disk", "read-only", "too-small", "in-use" */
int check_target(const Facts *f, const Block *b, const char *own_array, Refusal *ret);

/* Whether it belongs to the disk that the system runs from. */
bool is_root_disk(const Facts *f, const Block *b) _pure_;

/* That its content could be read, and is nothing; partitions are something. "unreadable",
 * "signature" */
int check_blank(const Facts *f, const Block *b, Refusal *ret);

/* Whether it has neither a signature nor a partition. */
bool is_blank(const Facts *f, const Block *b) _pure_;

/* Appends to *list what is on it, one text for each signature, also of its partitions. */
int list_content(const Facts *f, const Block *b, char ***list);
