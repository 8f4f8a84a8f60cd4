/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

#define _cleanup_close_ _cleanup_(closep)

#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int *_pfd = &(fd);                                                                         \
        int _fd = *_pfd;                                                                           \
        *_pfd = -1;                                                                                \
        _fd;                                                                                       \
    })

/* Closes fd unless it is negative, keeps errno, returns -1: `fd = safe_close(fd)`. */
int safe_close(int fd);

static inline void closep(int *fd) {
    safe_close(*fd);
}

/* Writes all of buf, resuming after signals and short writes. Returns 0 or -errno. */
int write_full(int fd, const void *buf, size_t size);

/* fsync()s the directory itself, so that entries made in it survive a power loss. */
int fsync_directory(int dir_fd);
