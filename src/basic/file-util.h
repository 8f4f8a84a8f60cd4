/* SPDX-License-Identifier: Apache-2.0 */
/* Small files, read whole with a bound, and replaced atomically. */
#pragma once

#include "basic/macro.h"

/* Reads a file below dir_fd (AT_FDCWD for a plain path) of at most size_max bytes; -EFBIG if it is
 * longer. The buffer belongs to the caller and has a NUL after its last byte. */
int read_file_at(int dir_fd, const char *path, size_t size_max, char **ret, size_t *ret_size);

/* Reads the rest of an open file, with the same bound and result. */
int read_fd(int fd, size_t size_max, char **ret, size_t *ret_size);

/* The first directory on the way to a path that this process may not enter. False: none. */
bool path_find_closed(const char *path, char *ret, size_t size);

/* Replaces the file at path: temporary file in the same directory, fsync, rename, fsync of the
 * directory. On error the old file stays. */
int write_file_atomic(const char *path, const char *data, size_t size, mode_t mode);

/* The same for a caller that has a lock, so that nobody else writes this file: the temporary file
 * is always path.new. One that was left when the caller was killed is replaced. */
#define FILE_NEW_SUFFIX ".new"
int write_file_alone(const char *path, const char *data, size_t size, mode_t mode);

/* Opens a new file for that, in place of what is left of a former one. */
int open_new(const char *path);
