/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-unpack/tree.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "service/archive-rule.h"

static int open_directory(int dir_fd, const char *name) {
    const int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* The directory in which the last part of the path lies, made if it is not there. */
static int open_parent(int root_fd, const char *path, int *ret_fd, const char **ret_name) {
    char above[ARCHIVE_PATH_MAX + 1];
    _cleanup_close_ int fd = open_directory(root_fd, ".");
    const char *name = path, *slash;

    while (fd >= 0 && (slash = strchr(name, '/'))) {
        const size_t size = (size_t)(slash - path);
        int next;

        memcpy(above, path, size);
        above[size] = 0;
        if (mkdirat(fd, above + (name - path), 0700) == 0 &&
            fchmodat(fd, above + (name - path), archive_mode(above, S_IFDIR | 0755, false), 0) < 0)
            return -errno;
        next = open_directory(fd, above + (name - path));
        safe_close(fd);
        fd = next;
        name = slash + 1;
    }
    if (fd < 0)
        return fd;
    *ret_fd = TAKE_FD(fd);
    *ret_name = name;
    return 0;
}

static int remove_former(int dir_fd, const char *name) {
    return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int tree_make_directory(int root_fd, const char *path, mode_t mode) {
    _cleanup_close_ int parent = -1, fd = -1;
    const char *name = "";

    if (!*path)
        return fchmod(root_fd, mode) < 0 ? -errno : 0;
    TRY(open_parent(root_fd, path, &parent, &name));
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    fd = open_directory(parent, name);
    if (fd < 0)
        return fd;
    return fchmod(fd, mode) < 0 ? -errno : 0;
}

int tree_make_file(int root_fd, const char *path, int *ret_fd) {
    _cleanup_close_ int parent = -1;
    const char *name = "";
    int fd;

    TRY(open_parent(root_fd, path, &parent, &name));
    TRY(remove_former(parent, name));
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int tree_make_link(int root_fd, const char *path, const char *target) {
    _cleanup_close_ int parent = -1;
    const char *name = "";

    TRY(open_parent(root_fd, path, &parent, &name));
    TRY(remove_former(parent, name));
    return symlinkat(target, parent, name) < 0 ? -errno : 0;
}

int tree_make_hard_link(int root_fd, const char *path, const char *old_path) {
    _cleanup_close_ int parent = -1, old_parent = -1;
    const char *name = "", *old_name = "";
    struct stat st;

    if (streq(path, old_path))
        return 0;
    TRY(open_parent(root_fd, old_path, &old_parent, &old_name));
    if (fstatat(old_parent, old_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EMLINK;
    TRY(open_parent(root_fd, path, &parent, &name));
    TRY(remove_former(parent, name));
    if (linkat(old_parent, old_name, parent, name, 0) < 0)
        return -errno;
    /* the file has one mode for all its names */
    if (archive_is_program(path) &&
        fchmodat(parent, name, archive_mode(path, st.st_mode, true), 0) < 0)
        return -errno;
    return 0;
}
