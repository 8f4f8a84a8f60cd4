/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/safe-path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define LINKS_MAX 40
#define FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

typedef struct Walk {
    int fd;
    char *rest; /* of the path */
    unsigned links;
    SafePath *safe; /* NULL: what is sought is a directory */
} Walk;

static int to_root(Walk *w) {
    const int fd = open("/", FLAGS);

    if (fd < 0)
        return -errno;
    safe_close(w->fd);
    w->fd = fd;
    return 0;
}

static int check_link(int dir_fd, const struct stat *link) {
    struct stat st;

    if (fstat(dir_fd, &st) < 0)
        return -errno;
    return link->st_uid == 0 && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 ? 0
                                                                                          : -EXDEV;
}

/* What the link says takes its place in the rest. */
static int follow(Walk *w, const char *name, const char *behind) {
    char to[PATH_MAX];
    const ssize_t n = readlinkat(w->fd, name, to, sizeof(to) - 1);
    char *rest;

    if (n < 0)
        return -errno;
    if (++w->links > LINKS_MAX)
        return -ELOOP;
    to[n] = 0;
    if (asprintf(&rest, "%s/%s", to, behind) < 0)
        return -ENOMEM;
    free(w->rest);
    w->rest = rest;
    return *to == '/' ? to_root(w) : 0;
}

static int enter(Walk *w, const char *name, bool is_last) {
    const int fd =
        openat(w->fd, name, w->safe && is_last ? O_PATH | O_NOFOLLOW | O_CLOEXEC : FLAGS);

    if (fd < 0)
        return -errno;
    safe_close(w->fd);
    w->fd = fd;
    return 0;
}

static bool is_root(const struct stat *st) {
    struct stat root;

    return stat("/", &root) >= 0 && root.st_dev == st->st_dev && root.st_ino == st->st_ino;
}

/* Before the next part of the path is looked up in the directory. */
static int note_unsafe(const Walk *w, const char *rest) {
    SafePath *safe = w->safe;
    struct stat st;

    if (!safe || safe->directory_fd >= 0)
        return 0;
    if (fstat(w->fd, &st) < 0)
        return -errno;
    if ((st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0) || is_root(&st))
        return 0;
    safe->rest = strdup(rest);
    safe->directory_fd = safe->rest ? fcntl(w->fd, F_DUPFD_CLOEXEC, 3) : -1;
    return !safe->rest ? -ENOMEM : safe->directory_fd < 0 ? -errno : 0;
}

static int step(Walk *w) {
    const size_t slashes = strspn(w->rest, "/"), size = strcspn(w->rest + slashes, "/");
    _cleanup_free_ char *name = strndup(w->rest + slashes, size),
                        *behind = strdup(w->rest + slashes + size);
    struct stat st;

    if (!name || !behind)
        return -ENOMEM;
    TRY(note_unsafe(w, w->rest + slashes));
    if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode)) {
        TRY(check_link(w->fd, &st));
        return follow(w, name, behind);
    }
    TRY(enter(w, name, !behind[strspn(behind, "/")]));
    memmove(w->rest, behind, strlen(behind) + 1);
    return 0;
}

static int walk(const char *path, SafePath *safe, int *ret_fd) {
    _cleanup_close_ int fd = -1;
    Walk w = {.fd = -1, .rest = strdup(path), .safe = safe};
    int r;

    r = w.rest ? to_root(&w) : -ENOMEM;
    while (r >= 0 && w.rest[strspn(w.rest, "/")])
        r = step(&w);
    free(w.rest);
    fd = w.fd;
    TRY(r);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int safe_open_directory(const char *path, int *ret_fd) {
    return walk(path, NULL, ret_fd);
}

void safe_path_done(SafePath *p) {
    free(p->rest);
    safe_close(p->fd);
    safe_close(p->directory_fd);
}

int safe_open_path(const char *path, SafePath *ret) {
    SafePath safe = {.fd = -1, .directory_fd = -1};
    const int r = walk(path, &safe, &safe.fd);

    if (r < 0)
        safe_path_done(&safe);
    else
        *ret = safe;
    return r;
}
