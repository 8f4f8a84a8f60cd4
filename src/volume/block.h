/* SPDX-License-Identifier: Apache-2.0 */
/* How blocks belong together, and by which names they are known. */
#pragma once

#include "volume/facts.h"

/* The text behind `prefix`; NULL: `s` is NULL or begins otherwise. */
const char *text_after(const char *s, const char *prefix) _pure_;

/* Whether `s` is `prefix` and then `rest`. */
bool text_is(const char *s, const char *prefix, const char *rest) _pure_;

bool list_has(char *const *list, const char *text) _pure_;

/* The same hexadecimal digits, whatever is between them: libblkid and mdadm(8) write them
 * differently. False if one of them is NULL. */
bool uuid_is(const char *a, const char *b) _pure_;

/* One of the signatures by type and UUID; a NULL matches any. NULL: there is none. */
const Signature *block_find_signature(const Block *b, const char *type, const char *uuid) _pure_;

/* Whether both are devices of one file system of btrfs. A copy of a device is not: it has the same
 * UUID among them. */
bool block_shares_btrfs(const Block *a, const Block *b) _pure_;

bool block_is_multipath(const Block *b) _pure_;

/* Whether `source` of a mount or of a line of fstab(5) or crypttab(5) names it: UUID=, LABEL=,
 * ID=..., or a path below /dev. */
bool block_is_source(const Block *b, const char *source) _pure_;

/* Whether `below` is a partition of `b`, or `b` lies on it, over any number of levels. */
bool block_lies_on(const Facts *f, const Block *b, const Block *below) _pure_;

/* A running array, or one that is not started, by UUID; the mapping of a LUKS device by its UUID.
 * NULL: there is none. */
const Block *facts_find_array(const Facts *f, const char *uuid) _pure_;
const Block *facts_find_mapping(const Facts *f, const char *luks_uuid) _pure_;

/* Where it is mounted, by itself or with other devices of one file system: at `target`, or anywhere
 * if that is NULL. NULL: nowhere. */
const Mount *facts_find_mount(const Facts *f, const Block *b, const char *target) _pure_;
/* The last mount at a path, which covers earlier ones. */
const Mount *facts_find_mounted(const Facts *f, const char *target) _pure_;

/* The path of it that survives a reboot, if it has any; else /dev/NAME. The caller frees. */
int block_path(const Block *b, char **ret);
/* What it is recognised by in a record: the path, the serial number, and for the reader the size,
 * which may grow. The caller frees. */
int block_identity(const Block *b, char **ret);
bool identity_is(const char *a, const char *b) _pure_;
