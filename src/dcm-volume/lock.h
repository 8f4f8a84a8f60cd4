/* SPDX-License-Identifier: Apache-2.0 */
/* udev's lock of block devices: flock(2) of the whole disk. While it is held udev leaves the device
 * alone; a stopped array does not come back. See systemd.io/BLOCK_DEVICE_LOCKING. */
#pragma once

#include "basic/macro.h"

typedef struct DeviceLocks {
    int *fds;
    dev_t *devices; /* ascending */
    size_t n;
} DeviceLocks;

/* Locks the disks of these paths, which end with NULL, in the order of their numbers, so that two
 * programs do not wait for each other. What is no block device is left out. Waits. Others that were
 * locked are released first; the same ones stay locked without a gap. */
int device_locks_take(DeviceLocks *l, char *const *paths);
void device_locks_release(DeviceLocks *l);
