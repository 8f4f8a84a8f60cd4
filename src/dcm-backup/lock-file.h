/* SPDX-License-Identifier: Apache-2.0 */
/* Locks between runs: flock(2) on files in BACKUP_RUN_DIRECTORY. The kernel drops one with its
 * process, and a reboot all of them. */
#pragma once

#include "basic/macro.h"

#define BACKUP_RUN_DIRECTORY "/run/dcm-backups"

/* Takes the lock NAME, for which it waits that long at most. -EBUSY: somebody else has it. */
int lock_file_take(const char *name, uint64_t wait_usec, int *ret_fd);
/* Waits for ever for one that somebody has; returns at once if there is no such file. */
int lock_file_wait(const char *name, int *ret_fd);
/* Drops a lock that nobody will ask for any more, with its file; returns -1. Elsewhere files stay:
 * who removed one would let two others lock two files of the same name. */
int lock_file_drop(const char *name, int fd);
