/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc/self/mountinfo says of a directory. Pure: the text of the file goes in. */
#pragma once

#include <sys/types.h>

#include "basic/macro.h"

/* The first mount point that is the path or lies below it, in the kernel's notation ("\040" is a
 * blank); the caller frees. -ENOENT: there is none. The path is absolute and has no link, and no
 * character that the kernel writes in another way. */
int mountinfo_find_below(const char *text, const char *path, char **ret);

/* The device number of the file system of a mount. All subvolumes of a btrfs have the same one
 * here, unlike in stat(2). -ENOENT: there is no such mount. */
int mountinfo_find_device(const char *text, uint64_t mount_id, dev_t *ret);
