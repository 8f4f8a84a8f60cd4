/* SPDX-License-Identifier: Apache-2.0 */
/* Whole small files, read with a bound and replaced atomically. */
#pragma once

#include "basic/macro.h"

/* Reads a file below dir_fd (AT_FDCWD for a plain path) that has at most size_max bytes; a longer
 * one is -EFBIG. The buffer has a NUL after its last byte and belongs to the caller. */
int read_file_at(int dir_fd, const char *path, size_t size_max, char **ret, size_t *ret_size);

/* The same of what an open file has from its position on. */
int read_fd(int fd, size_t size_max, char **ret, size_t *ret_size);

/* Replaces path by a file of that content: temporary file in the same directory, fsync, rename,
 * fsync of the directory. On an error the old file is untouched. */
int write_file_atomic(const char *path, const char *data, size_t size, mode_t mode);
