/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that may lead through directories of users. */
#pragma once

#include "basic/macro.h"

/* Opens a directory by an absolute path. A symbolic link on the way counts only if it belongs to
 * root and nobody else can replace it. -EXDEV: there is another one. */
int safe_open_directory(const char *path, int *ret_fd);
