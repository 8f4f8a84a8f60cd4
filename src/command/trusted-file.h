/* SPDX-License-Identifier: Apache-2.0 */
/* Files that decide what runs as whom: they count only if nobody but root and ourselves could have
 * written them. And where a shipped script is looked for. */
#pragma once

#include "basic/macro.h"

/* A regular file of root or ours that neither group nor others may write. -ENOENT; -ERFKILL: a link
 * to /dev/null; -EINVAL: it is
 * not such a file or cannot be read, and *ret_error (the caller frees) says why. */
int trusted_file_open(const char *path, int *ret_fd, char **ret_error);
int trusted_file_read(const char *path, size_t size_max, char **ret, size_t *ret_size,
                      char **ret_error);

/* The first directory's file of that name shadows those of the next ones; an empty one, or a link
 * to /dev/null, masks it. An absolute path is taken as it is. -ENOENT: in no directory; -EINVAL,
 * with a text: as above, also for a masked one. */
int script_open(const char *const *directories, const char *script, char **ret_path, int *ret_fd,
                char **ret_error);
/* /etc before /usr/lib; ends with NULL */
extern const char *const script_directories[];
