/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-scrub/beneath.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/fd-util.h"

static int open_no_further(int dir_fd, const char *name, uint64_t flags, uint64_t resolve) {
    const struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC, .resolve = resolve};
    const long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

#define INSIDE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

static bool has_path(char *const *list, const char *path) {
    for (char *const *s = list; s && *s; s++)
        if (streq(*s + strspn(*s, "/"), path))
            return true;
    return false;
}

/* What is in memory is in no image. */
static bool is_volatile(int fd) {
    static const long types[] = {TMPFS_MAGIC, RAMFS_MAGIC,         PROC_SUPER_MAGIC,
                                 SYSFS_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC};
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if ((long)fs.f_type == types[i])
            return true;
    return false;
}

static int skip(const Beneath *b, const char *path, const char *why, bool is_open) {
    if (b->on_skip)
        b->on_skip(path, why, is_open, b->userdata);
    return -ESTALE;
}

/* A mount point. */
static int cross(const Beneath *b, int dir_fd, const char *name, const char *path, int *ret_fd) {
    _cleanup_close_ int fd =
        open_no_further(dir_fd, name, O_PATH | O_DIRECTORY, INSIDE & ~(uint64_t)RESOLVE_NO_XDEV);

    if (fd < 0)
        return skip(b, path, strerror(-fd), true);
    if (is_volatile(fd))
        return -ESTALE;
    if (has_path(b->left, path))
        return skip(b, path, "is a file system of its own, and left as it is", false);
    if (!has_path(b->entered, path))
        return skip(b, path, "is a file system of its own", true);
    safe_close(fd);
    fd = open_no_further(dir_fd, name, O_RDONLY | O_DIRECTORY, INSIDE & ~(uint64_t)RESOLVE_NO_XDEV);
    if (fd < 0)
        return fd;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int beneath_enter(const Beneath *b, int dir_fd, const char *name, const char *path, int *ret_fd) {
    const int fd = open_no_further(dir_fd, name, O_RDONLY | O_DIRECTORY, INSIDE);
    struct stat st;

    if (fd >= 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd == -EXDEV)
        return cross(b, dir_fd, name, path, ret_fd);
    if ((fd == -ELOOP || fd == -ENOTDIR) && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
        S_ISLNK(st.st_mode))
        return skip(b, path, "is a symbolic link, which is not followed", false);
    return fd == -ENOTDIR ? -ENOENT : fd;
}

int beneath_open_parent(const Beneath *b, const char *path, int *ret_fd, const char **ret_name) {
    _cleanup_close_ int fd = open_no_further(b->root_fd, ".", O_RDONLY | O_DIRECTORY, INSIDE);
    const char *name = path, *slash;

    TRY(fd);
    while ((slash = strchr(name, '/'))) {
        _cleanup_free_ char *part = strndup(name, (size_t)(slash - name)),
                            *above = strndup(path, (size_t)(slash - path));
        int next = -1;

        if (!part || !above)
            return -ENOMEM;
        TRY(beneath_enter(b, fd, part, above, &next));
        safe_close(fd);
        fd = next;
        name = slash + 1;
    }
    *ret_fd = TAKE_FD(fd);
    *ret_name = name;
    return 0;
}

int beneath_open_directory(const Beneath *b, const char *path, int *ret_fd) {
    _cleanup_close_ int parent = -1;
    const char *name = "";

    TRY(beneath_open_parent(b, path, &parent, &name));
    if (*name)
        return beneath_enter(b, parent, name, path, ret_fd);
    *ret_fd = TAKE_FD(parent);
    return 0;
}

int beneath_open_file(int dir_fd, const char *name, int *ret_fd) {
    _cleanup_close_ int fd =
        open_no_further(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, INSIDE);
    struct stat st;

    TRY(fd);
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

DIR *beneath_list(int fd) {
    DIR *d = fdopendir(fd);

    if (!d)
        safe_close(fd);
    return d;
}

char *beneath_join(const char *directory, const char *name) {
    char *path;

    return asprintf(&path, "%s%s%s", directory, *directory ? "/" : "", name) < 0 ? NULL : path;
}

/* --- walking -------------------------------------------------------------------------------- */

typedef struct Walk {
    const Beneath *beneath;
    Visitor visit;
    void *userdata;
} Walk;

static int visit_at(const Walk *w, int dir_fd, const char *name, const char *path, unsigned depth);

static int visit_entries(const Walk *w, DIR *d, const char *path, unsigned depth) {
    const struct dirent *entry;

    while ((void)(errno = 0), (entry = readdir(d))) {
        _cleanup_free_ char *below = NULL;

        if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
            continue;
        below = beneath_join(path, entry->d_name);
        if (!below)
            return -ENOMEM;
        TRY(visit_at(w, dirfd(d), entry->d_name, below, depth + 1));
    }
    return -errno;
}

static int visit_directory(const Walk *w, const Visit *v, unsigned depth) {
    Visit leaving = *v;
    int fd = -1, r;
    DIR *d;

    if (depth >= TREE_DEPTH_MAX) {
        (void)skip(w->beneath, v->path, "lies too deep", false);
        return 0;
    }
    r = beneath_enter(w->beneath, v->dir_fd, v->name, v->path, &fd);
    if (r == -ESTALE || r == -ENOENT)
        return 0;
    TRY(r);
    d = beneath_list(fd);
    if (!d)
        return -ENOMEM;
    leaving.stage = VISIT_LEAVE;
    r = visit_entries(w, d, v->path, depth);
    if (r >= 0)
        r = w->visit(&leaving, w->userdata);
    (void)closedir(d);
    return r;
}

static int visit_at(const Walk *w, int dir_fd, const char *name, const char *path, unsigned depth) {
    struct stat st;
    Visit v = {.stage = VISIT_FILE, .dir_fd = dir_fd, .name = name, .path = path, .st = &st};

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISDIR(st.st_mode))
        return w->visit(&v, w->userdata);
    v.stage = VISIT_ENTER;
    TRY(w->visit(&v, w->userdata));
    return visit_directory(w, &v, depth);
}

int beneath_walk(const Beneath *b, const char *path, Visitor visit, void *userdata) {
    const Walk w = {.beneath = b, .visit = visit, .userdata = userdata};
    _cleanup_close_ int parent = -1;
    const char *name = "";
    const int r = beneath_open_parent(b, path, &parent, &name);

    if (r == -ENOENT || r == -ESTALE)
        return 0;
    TRY(r);
    return visit_at(&w, parent, name, path, 0);
}
