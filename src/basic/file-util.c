/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/file-util.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/fd-util.h"

#define READ_CHUNK ((size_t)4096)

/* proc files have no size, so the buffer grows as the file is read */
int read_fd(int fd, size_t size_max, char **ret, size_t *ret_size) {
    _cleanup_free_ char *buf = NULL;
    size_t size = 0, allocated = 0;

    for (;;) {
        ssize_t n;

        TRY(array_reserve(&buf, &allocated, size + READ_CHUNK + 1, SIZE_MAX));
        n = read(fd, buf + size, allocated - size - 1);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (n == 0)
            break;
        size += (size_t)n;
        if (size > size_max)
            return -EFBIG;
    }
    buf[size] = 0;
    *ret = TAKE_PTR(buf);
    if (ret_size)
        *ret_size = size;
    return 0;
}

int read_file_at(int dir_fd, const char *path, size_t size_max, char **ret, size_t *ret_size) {
    _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    return fd < 0 ? -errno : read_fd(fd, size_max, ret, ret_size);
}

static int write_temporary(int fd, const char *data, size_t size, mode_t mode) {
    if (fchmod(fd, mode) < 0)
        return -errno;
    TRY(write_full(fd, data, size));
    return fsync(fd) < 0 ? -errno : 0;
}

int open_new(const char *path) {
    int fd;

    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static int replace(const char *path, char *temporary, bool is_alone, const char *data, size_t size,
                   mode_t mode) {
    _cleanup_free_ char *copy = strdup(path);
    _cleanup_close_ int fd = -1, dir_fd = -1;
    int r;

    if (!copy)
        return -ENOMEM;
    dir_fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return -errno;
    fd = is_alone ? open_new(temporary) : mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return is_alone ? fd : -errno;

    r = write_temporary(fd, data, size, mode);
    if (r >= 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary);
        return r;
    }
    return fsync_directory(dir_fd);
}

int write_file_atomic(const char *path, const char *data, size_t size, mode_t mode) {
    _cleanup_free_ char *temporary = NULL;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    return replace(path, temporary, false, data, size, mode);
}

int write_file_alone(const char *path, const char *data, size_t size, mode_t mode) {
    _cleanup_free_ char *temporary = NULL;

    if (asprintf(&temporary, "%s" FILE_NEW_SUFFIX, path) < 0)
        return -ENOMEM;
    return replace(path, temporary, true, data, size, mode);
}

bool path_find_closed(const char *path, char *ret, size_t size) {
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        if ((size_t)(slash - path) >= size)
            return false;
        memcpy(ret, path, (size_t)(slash - path));
        ret[slash - path] = 0;
        if (faccessat(AT_FDCWD, ret, X_OK, AT_EACCESS) < 0)
            return errno == EACCES;
    }
    return false;
}
