/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted in and below the directory of a service, as this process sees it. */
#pragma once

#include <sys/types.h>

#include "dcm-service/directory.h"

/* -EBUSY: a file system is mounted at an entry of the directory of services, or below it; it has
 * been logged with the advice to unmount it. To remove such a tree would remove what is in that
 * file system, also where it is another name (bind mount) of the same one. */
int mounts_refuse(const Services *s, const char *name);

/* The device number of the file system that an open file is on, as the kernel counts file systems:
 * those that a freeze of one stops have the same number, subvolumes too. */
int mounts_find_file_system(int fd, dev_t *ret);
