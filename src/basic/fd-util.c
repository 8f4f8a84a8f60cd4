/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/fd-util.h"

#include <unistd.h>

int safe_close(int fd) {
    if (fd >= 0) {
        int saved_errno = errno;

        (void)close(fd);
        errno = saved_errno;
    }
    return -1;
}

int write_full(int fd, const void *buf, size_t size) {
    const char *p = buf;

    while (size > 0) {
        ssize_t n = write(fd, p, size);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int fsync_directory(int dir_fd) {
    return fsync(dir_fd) < 0 ? -errno : 0;
}
