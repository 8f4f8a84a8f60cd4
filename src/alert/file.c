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

#include "alert/log.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"

#define BLOCK 256u
#define DEPTH_MAX 2u /* YYYY/MON */
#define HEAD 4096u   /* bytes of a file; an alert begins in them, if it has any */

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

static uint64_t get_time_ns(const struct stat *st) {
    return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
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
    /* a file is begun when there is none before it, and of an empty one a copy cannot be known */
    ret->time_ns = offset > 0 ? get_time_ns(&st) : now_usec(CLOCK_REALTIME) * 1000u;
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
    (void)snprintf(ret, ALERT_MARK_TEXT_SIZE, "%" PRIu64 " %" PRIu64 " %s %d %" PRIu64, m->inode,
                   m->offset, m->hash, m->in_line, m->time_ns);
}

int alert_mark_from_string(const char *text, AlertMark *ret) {
    AlertMark m = {};
    int in_line = 0;

    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %64[0-9a-f] %d %" SCNu64, &m.inode, &m.offset, m.hash,
               &in_line, &m.time_ns) != 5)
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

/* May take the descriptor. 1: seen enough */
typedef int (*Visitor)(int *fd, void *userdata);

/* At most `n` names, which is counted down. */
static int visit_below(int dir_fd, unsigned depth, unsigned *n, Visitor visit, void *userdata) {
    _cleanup_(close_directory) DIR *d = NULL;
    struct dirent *entry;
    int r = 0;

    d = fdopendir(dir_fd);
    if (!d) {
        safe_close(dir_fd);
        return -errno;
    }
    while (r <= 0 && *n > 0 && (entry = readdir(d))) {
        _cleanup_close_ int fd = -1;

        if (entry->d_name[0] == '.')
            continue;
        (*n)--;
        if (open_at(dirfd(d), entry->d_name, O_NOFOLLOW, &fd) >= 0) {
            r = visit(&fd, userdata);
            continue;
        }
        if (depth == 0)
            continue;
        fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            r = visit_below(TAKE_FD(fd), depth - 1, n, visit, userdata) > 0;
    }
    return r;
}

static int visit_near(const char *path, Visitor visit, void *userdata) {
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
    return fd < 0 ? -errno : visit_below(fd, DEPTH_MAX, &n, visit, userdata);
}

typedef struct Search {
    const AlertMark *mark;
    int fd;
} Search;

static int take_match(int *fd, void *userdata) {
    Search *s = userdata;

    if (alert_mark_matches(s->mark, *fd) <= 0)
        return 0;
    s->fd = TAKE_FD(*fd);
    return 1;
}

int alert_file_find(const char *path, const AlertMark *m, int *ret_fd) {
    Search s = {.mark = m, .fd = -1};
    int r;

    r = visit_near(path, take_match, &s);
    if (s.fd < 0)
        return r < 0 ? r : -ENOENT;
    *ret_fd = s.fd;
    return 0;
}

static bool contains(const AlertFiles *f, uint64_t inode) {
    for (size_t i = 0; i < f->n; i++)
        if (f->inodes[i] == inode)
            return true;
    return false;
}

typedef struct Succession {
    const AlertMark *mark;
    const AlertFiles *done;
    uint64_t named_inode;
    uint64_t time_ns; /* of `fd` */
    int fd;
} Succession;

static bool has_alerts(int fd) {
    char head[HEAD];
    ssize_t n = pread(fd, head, sizeof(head), 0);

    return n > 0 && alert_log_has_begin(head, (size_t)n);
}

static int take_earliest(int *fd, void *userdata) {
    Succession *s = userdata;
    struct stat st;

    if (fstat(*fd, &st) < 0 || st.st_ino == s->mark->inode || st.st_ino == s->named_inode ||
        get_time_ns(&st) < s->mark->time_ns || (s->fd >= 0 && get_time_ns(&st) >= s->time_ns) ||
        contains(s->done, st.st_ino))
        return 0;
    if (!has_alerts(*fd) || alert_mark_matches(s->mark, *fd) != 0)
        return 0;
    safe_close(s->fd);
    s->fd = TAKE_FD(*fd);
    s->time_ns = get_time_ns(&st);
    return 0;
}

int alert_file_find_next(const char *path, const AlertMark *m, const AlertFiles *done,
                         int *ret_fd) {
    Succession s = {.mark = m, .done = done, .fd = -1};
    struct stat st;
    int r;

    if (stat(path, &st) < 0)
        return -errno;
    s.named_inode = st.st_ino;
    r = done->n < ELEMENTSOF(done->inodes) ? visit_near(path, take_earliest, &s) : 0;
    if (s.fd < 0)
        return r < 0 ? r : alert_file_open(path, ret_fd);
    *ret_fd = s.fd;
    return 0;
}
