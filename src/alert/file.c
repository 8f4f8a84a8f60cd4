/* SPDX-License-Identifier: Apache-2.0 */
/* Files are recognised by their content, because inodes are reused and a copy has another inode.
 * The first line of an alert has its time and its place in the file, so no two files begin with the
 * same bytes. */
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
#define HEAD 4096u   /* bytes of a file in which the first alert, if any, begins */
#define SEARCHES_MAX 16u
#define NULS_MAX ((off_t)64 * 1024 * 1024)

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

    if (fstat(fd, &st) < 0)
        return -errno;
    TRY(read_block(fd, 0, size, block));
    TRY(read_block(fd, offset - size, size, block + size));
    *ret = (AlertMark){.inode = st.st_ino, .offset = offset};
    /* a file is begun when all earlier files have been read; file times have this clock */
    ret->time_usec = offset > 0 ? timespec_to_usec(&st.st_mtim) : now_usec(CLOCK_REALTIME_COARSE);
    ret->in_line = size > 0 && !alert_log_ends_line(block[2 * size - 1]);
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

/* 1, 0, or an error */
static int still_has(int fd, uint64_t offset, const char *bytes, size_t size) {
    char block[4096];

    for (size_t done = 0, n; done < size; done += n) {
        int r;

        n = MIN(size - done, sizeof(block));
        r = read_block(fd, offset + done, n, block);
        if (r < 0)
            return r == -ENODATA ? 0 : r;
        if (memcmp(bytes + done, block, n) != 0)
            return 0;
    }
    return 1;
}

/* Looks afterwards whether all of it was of one content: others truncate and write at any moment.
 */
int alert_mark_advance(const AlertMark *m, int fd, const char *read, size_t size, AlertMark *ret) {
    AlertMark next;
    int r;

    r = alert_mark_make(fd, m->offset + size, &next);
    if (r >= 0)
        r = alert_mark_matches(m, fd);
    if (r > 0)
        r = still_has(fd, m->offset, read, size);
    if (r <= 0)
        return r == 0 || r == -ENODATA ? -ESTALE : r;
    *ret = next;
    return 0;
}

void alert_mark_to_string(const AlertMark *m, char ret[static ALERT_MARK_TEXT_SIZE]) {
    (void)snprintf(ret, ALERT_MARK_TEXT_SIZE, "%" PRIu64 " %" PRIu64 " %s %d %" PRIu64, m->inode,
                   m->offset, m->hash, m->in_line, m->time_usec);
}

int alert_mark_from_string(const char *text, AlertMark *ret) {
    AlertMark m = {};
    int in_line = 0;

    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %64[0-9a-f] %d %" SCNu64, &m.inode, &m.offset, m.hash,
               &in_line, &m.time_usec) != 5)
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

/* Keeps the last file that was accepted. */
typedef struct Search {
    const AlertMark *mark;
    bool (*accepts)(struct Search *s, int fd, const struct stat *st);
    const AlertFiles *done;
    uint64_t named_inode;
    uint64_t time_usec; /* of `fd` */
    unsigned n_left;    /* names to look at */
    bool moved;         /* a name was gone, or another file had it, when it was looked at */
    int fd;
} Search;

/* The content behind the mark, and files that followed, are not in a file last written before the
 * mark was made. */
static void search_file(Search *s, int dir_fd, const char *name, const struct stat *st) {
    _cleanup_close_ int fd = -1;
    struct stat opened;
    int r;

    if (timespec_to_usec(&st->st_mtim) < s->mark->time_usec && st->st_ino != s->mark->inode)
        return;
    r = open_at(dir_fd, name, O_NOFOLLOW, &fd);
    s->moved |= r == -ENOENT;
    if (r < 0 || fstat(fd, &opened) < 0)
        return;
    s->moved |= opened.st_ino != st->st_ino;
    if (opened.st_ino != st->st_ino || !s->accepts(s, fd, st))
        return;
    safe_close(s->fd);
    s->fd = TAKE_FD(fd);
    s->time_usec = timespec_to_usec(&st->st_mtim);
}

static void search_below(Search *s, int dir_fd, unsigned depth) {
    _cleanup_(close_directory) DIR *d = NULL;
    struct dirent *entry;

    d = fdopendir(dir_fd);
    if (!d) {
        safe_close(dir_fd);
        return;
    }
    while (s->n_left > 0 && (entry = readdir(d))) {
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        s->n_left--;
        if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            s->moved = true;
            continue;
        }
        s->moved |= st.st_ino != entry->d_ino;
        if (S_ISREG(st.st_mode))
            search_file(s, dirfd(d), entry->d_name, &st);
        else if (S_ISDIR(st.st_mode) && depth > 0) {
            int fd =
                openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (fd >= 0)
                search_below(s, fd, depth - 1);
        }
    }
}

/* -ENOENT: no file was accepted. */
static int search_near(Search *s, const char *path, int *ret_fd) {
    _cleanup_free_ char *directory = NULL;
    const char *slash = strrchr(path, '/');
    int fd;

    if (!slash)
        return -ENOENT;
    directory = strndup(path, (size_t)(slash - path) + 1);
    if (!directory)
        return -ENOMEM;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    s->n_left = ALERT_FILES_SEARCHED_MAX;
    s->fd = -1;
    search_below(s, fd, DEPTH_MAX);
    if (s->fd < 0)
        return -ENOENT;
    *ret_fd = s->fd;
    return 0;
}

static bool is_marked(Search *s, int fd, const struct stat *st) {
    if (alert_mark_matches(s->mark, fd) <= 0)
        return false;
    s->n_left = 0;
    return true;
}

/* Searches again if files have changed their names meanwhile: it may be one of them. */
int alert_file_find(const char *path, const AlertMark *m, int *ret_fd) {
    bool moved = true;
    int r = -ENOENT;

    for (unsigned i = 0; i < SEARCHES_MAX && r == -ENOENT && moved; i++) {
        Search s = {.mark = m, .accepts = is_marked};

        r = search_near(&s, path, ret_fd);
        moved = s.moved;
    }
    return r;
}

static bool contains(const AlertFiles *f, uint64_t inode) {
    for (size_t i = 0; i < f->n; i++)
        if (f->inodes[i] == inode)
            return true;
    return false;
}

static bool is_empty(const char *p, ssize_t n) {
    return n > 0 && !p[0] && memcmp(p, p + 1, (size_t)n - 1) == 0;
}

/* NULs of a power loss may precede the alerts. */
static bool has_alerts(int fd) {
    char head[2 * HEAD];
    off_t offset = 0;
    ssize_t n;

    do
        n = pread(fd, head, sizeof(head), offset);
    while (is_empty(head, n) && (offset += n) < NULS_MAX);
    return n > 0 && alert_log_has_begin(head, (size_t)n);
}

static bool is_earlier(Search *s, int fd, const struct stat *st) {
    if (st->st_ino == s->named_inode || contains(s->done, st->st_ino) ||
        (s->fd >= 0 && timespec_to_usec(&st->st_mtim) >= s->time_usec))
        return false;
    return has_alerts(fd) && alert_mark_matches(s->mark, fd) == 0;
}

/* One search. `ret_fd`: the file at the path as it was before the search, unless there is an
 * earlier one. 1: a file changed its name meanwhile. */
static int search_next(const char *path, const AlertMark *m, const AlertFiles *done, int *ret_fd) {
    Search s = {.mark = m, .accepts = is_earlier, .done = done};
    _cleanup_close_ int named = -1;
    struct stat st;
    int r = -ENOENT;

    TRY(alert_file_open(path, &named));
    if (fstat(named, &st) < 0)
        return -errno;
    s.named_inode = st.st_ino;
    if (done->n < ELEMENTSOF(done->inodes))
        r = search_near(&s, path, ret_fd);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r == -ENOENT)
        *ret_fd = TAKE_FD(named);
    return s.moved;
}

/* Files that are rotated during a search change their names behind its back, so that it misses one:
 * the earliest of several searches counts, until one of them has seen no change and found nothing
 * earlier. */
int alert_file_find_next(const char *path, const AlertMark *m, const AlertFiles *done,
                         int *ret_fd) {
    _cleanup_close_ int best = -1;
    uint64_t best_usec = UINT64_MAX;

    for (unsigned i = 0; i < SEARCHES_MAX; i++) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int moved = search_next(path, m, done, &fd);

        if (moved == -ENOENT && best >= 0)
            continue; /* nothing has the name for a moment */
        if (moved < 0)
            return moved;
        if (fstat(fd, &st) < 0)
            return -errno;
        if (timespec_to_usec(&st.st_mtim) < best_usec) {
            best_usec = timespec_to_usec(&st.st_mtim);
            safe_close(best);
            best = TAKE_FD(fd);
        } else if (moved == 0)
            break;
    }
    *ret_fd = TAKE_FD(best);
    return 0;
}
