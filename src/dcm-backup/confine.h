/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that read, pack and unpack run as root, because they must read or write any
 * directory, and what they work on comes from users or from the storage. In a child each of them
 * gives up what it does not need: the network, all files but for reading, and capabilities. */
#pragma once

#include "basic/macro.h"

#define CONFINED "/tmp" /* where the directory of a writer is then */

/* For one that only passes on what it reads from a descriptor. */
int confine_filter(const void *nothing);

/* For one that reads any file. -EXDEV, -ENOENT, ...: a path cannot be pinned (pins.h). If
 * `has_mounts`, the mounts are its own already. */
int confine_reader(bool has_mounts, char *const *paths);

/* For one that writes what it likes below this directory, and nothing else. */
int confine_writer(int directory_fd);

/* For one that reads, and whose root directory seclude() has made. */
int confine_secluded(void);
