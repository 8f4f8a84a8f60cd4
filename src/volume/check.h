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

/* That its content could be read, and is nothing: partitions and random data are something.
 * "unreadable", "signature" */
int check_blank(const Facts *f, const Block *b, Refusal *ret);

/* Whether it has neither a signature nor a partition, and no random data. */
bool is_blank(const Facts *f, const Block *b) _pure_;

/* Whether it has neither a signature nor a partition. What an array or a mapping shows that nobody
 * has written to is random, too, or whatever was on the disks before: for those that the request
 * itself has made. */
bool is_unsigned(const Facts *f, const Block *b) _pure_;

/* Whether it has no signature, but looks as what is encrypted does. */
bool has_random_data(const Block *b) _pure_;

/* Appends to *list what is on it, one text for each signature, also of its partitions. */
int list_content(const Facts *f, const Block *b, char ***list);
