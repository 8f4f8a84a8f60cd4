/* SPDX-License-Identifier: Apache-2.0 */
/* The commands lock and unlock. Hooks and file systems are held by a unit of its own, dcm-services-
 * lock.service, which has a time limit, and which undoes everything when it ends in any way. */
#pragma once

#include "basic/macro.h"

typedef struct LockOrder {
    uint64_t timeout_msec; /* until all are locked */
    uint64_t hold_sec;     /* until they are released, whatever happens */
    bool file_systems;     /* frozen as well */
} LockOrder;

/* An earlier lock is released first. -EIO: it is not locked, which has been logged. */
int lock_begin(const LockOrder *o);
/* -ENOENT: it is not locked; -EIO: it was, but not until now. It has been logged. */
int lock_end(void);
