/* SPDX-License-Identifier: Apache-2.0 */
/* The commands lock and unlock. Hooks and file systems are held by a unit of its own, dcm-services-
 * lock.service, which has a time limit, and which undoes everything when it ends in any way. */
#pragma once

#include "basic/macro.h"

typedef struct LockOrder {
    uint64_t timeout_msec; /* until all are locked */
    uint64_t hold_sec;     /* until they are released, whatever happens */
    bool file_systems;     /* frozen as well */
    const char *owner;     /* who alone may release it, as a word; NULL: anybody */
} LockOrder;

/* An earlier lock is released first; for an owner it is a failure. -EIO: it is not locked, which
 * has been logged. */
int lock_begin(const LockOrder *o);
/* -ENOENT: it is not locked; -ECANCELED: it was, but not until now, and is released; -EIO: it
 * cannot be released. It has been logged. */
int lock_end(void);
/* Releases what this owner has locked; -ENOENT also if somebody else has locked since. */
int lock_release(const char *owner);
