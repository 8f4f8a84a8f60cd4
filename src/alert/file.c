/* SPDX-License-Identifier: Apache-2.0 */
/* A file is known by its content: an inode is used again, a copy has another one. Alerts have their
 * time and the place in the file in their first line, so that no two files begin alike. */
#include "alert/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"

#define BLOCK 256u
#define DEPTH_MAX 2u /* YYYY/MON */

static int read_block(int fd, uint64_t offset, size_t size, char *buf) {
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, buf + done, size - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        done += (size_t)n;
    }
    return 0;
}

int alert_mark_make(int fd, uint64_t offset, AlertMark *ret) {
    size_t size = (size_t)MIN(offset, (uint64_t)BLOCK);
    char block[2 * BLOCK];
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return -errno;
    r = read_block(fd, 0, size, block);
    if (r >= 0)
        r = read_block(fd, offset - size, size, block + size);
    if (r < 0)
        return r;
    *ret = (AlertMark){.inode = st.st_ino, .offset = offset};
    ret->in_line = size > 0 && block[2 * size - 1] != '\n';
    sha256_hex(block, 2 * size, ret->hash);
    return 0;
}

int alert_mark_matches(const AlertMark *m, int fd) {
    AlertMark other;
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return -errno;
    if ((uint64_t)st.st_size < m->offset)
        return 0;
    if (m->offset == 0)
        return m->inode == st.st_ino;
    r = alert_mark_make(fd, m->offset, &other);
    return r < 0 ? (r == -ENODATA ? 0 : r) : streq(other.hash, m->hash);
}

void alert_mark_to_string(const AlertMark *m, char ret[static ALERT_MARK_TEXT_SIZE]) {
    (void)snprintf(ret, ALERT_MARK_TEXT_SIZE, "%" PRIu64 " %" PRIu64 " %s %d", m->inode, m->offset,
                   m->hash, m->in_line);
}

int alert_mark_from_string(const char *text, AlertMark *ret) {
    AlertMark m = {};
    int in_line = 0;

    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %64[0-9a-f] %d", &m.inode, &m.offset, m.hash,
               &in_line) != 4)
        return -EINVAL;
    m.in_line = in_line;
    *ret = m;
    return 0;
}

static int open_at(int dir_fd, const char *path, int flags, int *ret_fd) {
    _cleanup_close_ int fd =
        openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int alert_file_open(const char *path, int *ret_fd) {
    return open_at(AT_FDCWD, path, 0, ret_fd);
}

static void close_directory(DIR **d) {
    if (*d)
        (void)closedir(*d);
}

static int find_below(int dir_fd, const AlertMark *m, unsigned depth, unsigned *n, int *ret_fd) {
    _cleanup_(close_directory) DIR *d = NULL;
    struct dirent *entry;

    d = fdopendir(dir_fd);
    if (!d) {
        safe_close(dir_fd);
        return -errno;
    }
    while (*n > 0 && (entry = readdir(d))) {
        _cleanup_close_ int fd = -1;

        if (entry->d_name[0] == '.')
            continue;
        (*n)--;
        if (open_at(dirfd(d), entry->d_name, O_NOFOLLOW, &fd) >= 0 &&
            alert_mark_matches(m, fd) > 0) {
            *ret_fd = TAKE_FD(fd);
            return 0;
        }
        if (fd >= 0 || depth == 0)
            continue;
        fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && find_below(TAKE_FD(fd), m, depth - 1, n, ret_fd) >= 0)
            return 0;
    }
    return -ENOENT;
}

int alert_file_find(const char *path, const AlertMark *m, int *ret_fd) {
    _cleanup_free_ char *directory = NULL;
    const char *slash = strrchr(path, '/');
    unsigned n = ALERT_FILES_SEARCHED_MAX;
    int fd;

    if (!slash)
        return -ENOENT;
    directory = strndup(path, (size_t)(slash - path) + 1);
    if (!directory)
        return -ENOMEM;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : find_below(fd, m, DEPTH_MAX, &n, ret_fd);
}
