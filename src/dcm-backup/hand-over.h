/* SPDX-License-Identifier: Apache-2.0 */
/* A directory with files for a hook of a service, or of it. The hook runs as a user without rights,
 * and outside of the job, so the directory is in BACKUP_STATE_DIRECTORY. Who has a lock on it uses
 * it: others, which killed runs have left, are removed, at once by a unit that waits for the lock.
 */
#pragma once

#include "dcm-backup/work.h"

typedef struct HandOver {
    char *path;
    int fd;
} HandOver;

#define HAND_OVER_NONE ((HandOver){.fd = -1})

int hand_over_begin(Work *w, HandOver *ret);
/* Removes it with all that is in it. */
void hand_over_done(HandOver *h);

/* The path of a file in it; the caller frees. */
int hand_over_path(const HandOver *h, const char *name, char **ret);
/* A new file with that text; the caller frees its path. */
int hand_over_write(Work *w, const HandOver *h, const char *name, const char *text,
                    char **ret_path);
/* The same, to write to. */
int hand_over_open_new(Work *w, const HandOver *h, const char *name, int *ret_fd);

/* Until it is taken back, the hook's user can do everything in it. */
int hand_over_give(Work *w, const HandOver *h);
int hand_over_take_back(Work *w, const HandOver *h);
/* Opens a regular file that the hook has written, and removes its name. -ENOENT: there is none. */
int hand_over_take_file(const HandOver *h, const char *name, int *ret_fd);

/* Removes what runs that were killed have left. */
int hand_over_clean(void);
/* For that unit: waits for the end of the run that has the directory of that name. */
int hand_over_sweep(const char *name);
