/* SPDX-License-Identifier: Apache-2.0 */
/* Makes files below one directory. Each part of a path is opened by itself, and none that is a link
 * is followed, so that nothing is made elsewhere whatever lies in the directory. Paths are those of
 * archive_path_make(). */
#pragma once

#include <sys/stat.h>

#include "basic/macro.h"

/* Makes a directory and those above it; one that is there is kept. -ENOTDIR, -ELOOP: something else
 * is in the way. */
int tree_make_directory(int root_fd, const char *path, mode_t mode);
/* Opens a new file for writing; a file or link of that name is removed first. -EISDIR: a directory
 * has it. */
int tree_make_file(int root_fd, const char *path, int *ret_fd);
int tree_make_link(int root_fd, const char *path, const char *target);
/* Another name of a regular file that is there, which keeps its mode, unless the new name makes it
 * a program. -EMLINK: it is no regular file. */
int tree_make_hard_link(int root_fd, const char *path, const char *old_path);
