/* SPDX-License-Identifier: Apache-2.0 */
/* Files that decide which code runs under which user. They are valid only if nobody but root and
 * the own user can have written them. Also the search for scripts. */
#pragma once

#include "basic/macro.h"

/* Opens a regular file that belongs to root or the own user and is not writable for group or
 * others. -ENOENT; -ERFKILL: a link to /dev/null; -EINVAL: any other file, or an unreadable one;
 * *ret_error (the caller frees) gives the reason. -ENOMEM, -EMFILE, -ENFILE: try again later. */
int trusted_file_open(const char *path, int *ret_fd, char **ret_error);
int trusted_file_read(const char *path, size_t size_max, char **ret, size_t *ret_size,
                      char **ret_error);

/* Only looks: 0, -ENOENT, or -EINVAL and the reason (static). 0 also where that cannot be seen from
 * this process, and for a file that masks. */
int trusted_file_look(const char *path, const char **ret_problem);

/* Opens a script. A file in an earlier directory shadows those of the same name in later ones; an
 * empty file, or a link to /dev/null, masks them. An absolute path is opened directly. -ENOENT: not
 * in any directory; -EINVAL, with a text: as above, also for a masked script. */
int script_open(const char *const *directories, const char *script, char **ret_path, int *ret_fd,
                char **ret_error);
/* /etc before /usr/lib; ends with NULL */
extern const char *const script_directories[];
/* Whether script_open() would find something in one of the directories. */
bool script_exists(const char *const *directories, const char *script);
