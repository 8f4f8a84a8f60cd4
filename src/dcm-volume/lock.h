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

/* How long somebody else's lock is waited for. */
typedef struct LockPatience {
    uint64_t usec; /* for each disk */
    /* told once for each disk that is waited for: which, and who has locked it */
    void (*on_wait)(const char *text, void *userdata);
} LockPatience;

/* That of a run: a minute, and the log says what is waited for. udev has what it looks at for a
 * moment; who formats a disk under this lock may have it for long. */
extern const LockPatience lock_patience;

/* Locks the disks of these paths, which end with NULL, in the order of their numbers, so that two
 * programs do not wait for each other. What is no block device is left out. Others that were locked
 * are released first; the same ones stay locked without a gap. -EBUSY: somebody else has one of
 * them still; *ret_problem, which the caller frees, says who. */
int device_locks_take(DeviceLocks *l, char *const *paths, const LockPatience *patience,
                      char **ret_problem);
void device_locks_release(DeviceLocks *l);

/* Locks one open file. `name`: of it, for people. -EBUSY, *ret_problem: as above. */
int lock_wait(int fd, const char *name, const LockPatience *patience, char **ret_problem);

/* Who has a lock of flock(2) on this open file: "NAME (PID)", or "another program" if the kernel
 * does not say. The caller frees. */
int lock_find_holder(int fd, char **ret);
