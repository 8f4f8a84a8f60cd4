/* SPDX-License-Identifier: Apache-2.0 */
/* How far md(4) is with synchronising or rebuilding an array: it goes on after the volume is
 * mounted, for hours with large disks. */
#pragma once

#include "proto/job-reply.h"

typedef enum SyncAction {
    SYNC_NONE,    /* nothing that matters: idle, or a check that somebody has asked for */
    SYNC_RESYNC,  /* after it was made, or not stopped in an orderly way */
    SYNC_RECOVER, /* onto a disk that is new to it */
    SYNC_RESHAPE, /* it grows */
} SyncAction;

typedef struct SyncState {
    SyncAction action;
    int percent;      /* -1: it waits for another array on the same disks, or has just begun */
    unsigned n_disks; /* when it is whole */
    unsigned n_missing;
} SyncState;

/* From the directory md of the array in sysfs. -ENOENT: there is none. */
int sync_read(const char *directory, SyncState *ret);

/* Adds a line to the reply if the array is being synchronised. `device`: its path. */
int sync_report(const char *device, Reply *reply);

/* Waits until nothing is synchronised any more, and tells how far it is; then adds a line to the
 * reply that says how it has ended. */
int sync_follow(const char *device, Reply *reply);
/* The same with the directory of sysfs; `device` is for the text. */
int sync_follow_directory(const char *directory, const char *device, Reply *reply);
