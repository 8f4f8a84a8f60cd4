/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/lock-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"

#define PAUSE_USEC (100 * USEC_PER_MSEC) /* between looks at a lock that somebody has */

static int open_file(const char *name, int flags) {
    _cleanup_free_ char *path = NULL;
    int fd;

    if (mkdir(BACKUP_RUN_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (asprintf(&path, BACKUP_RUN_DIRECTORY "/%s.lock", name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    return fd < 0 ? -errno : fd;
}

static void pause_a_little(void) {
    const struct timespec pause = {.tv_nsec = PAUSE_USEC * 1000};

    (void)nanosleep(&pause, NULL);
}

int lock_file_take(const char *name, uint64_t wait_usec, int *ret_fd) {
    _cleanup_close_ int fd = open_file(name, O_CREAT);
    const uint64_t deadline = now_usec(CLOCK_BOOTTIME) + wait_usec;

    TRY(fd);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (now_usec(CLOCK_BOOTTIME) >= deadline)
            return -EBUSY;
        pause_a_little();
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int lock_file_wait(const char *name, int *ret_fd) {
    _cleanup_close_ int fd = open_file(name, 0);

    if (fd == -ENOENT) {
        *ret_fd = -1;
        return 0;
    }
    TRY(fd);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int lock_file_drop(const char *name, int fd) {
    _cleanup_free_ char *path = NULL;

    if (fd >= 0 && asprintf(&path, BACKUP_RUN_DIRECTORY "/%s.lock", name) >= 0)
        (void)unlink(path);
    return safe_close(fd);
}
