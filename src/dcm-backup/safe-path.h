/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that may lead through directories of users. */
#pragma once

#include "basic/macro.h"

/* Opens a directory by an absolute path. A symbolic link on the way counts only if it belongs to
 * root and nobody else can replace it. -EXDEV: there is another one. */
int safe_open_directory(const char *path, int *ret_fd);

typedef struct SafePath {
    int fd; /* O_PATH: what is there, a directory or something else */
    /* the first directory on the way in which others than root can put something else in the place
     * of what follows; -1: there is none, but for the root directory */
    int directory_fd;
    char *rest; /* of the path, from there */
} SafePath;

/* The same for what need not be a directory; the caller calls safe_path_done() if it is 0. */
int safe_open_path(const char *path, SafePath *ret);
void safe_path_done(SafePath *p);
