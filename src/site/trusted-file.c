/* SPDX-License-Identifier: Apache-2.0 */
#include "site/trusted-file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"

const char *const script_directories[] = {CONFDIR "/scripts", PKGLIBDIR "/scripts", NULL};

/* Returns the reason as error text. */
static int refuse(char **ret_error, const char *why) {
    *ret_error = strdup(why);
    return *ret_error ? -EINVAL : -ENOMEM;
}

static const char *check(const struct stat *st) {
    if (!S_ISREG(st->st_mode))
        return "it is not a regular file";
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "root does not own it (chown root)";
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return "group or others can write it (chmod go-w)";
    return NULL;
}

/* This process or the system is short of something, which says nothing about the file. */
static bool is_passing(int error) {
    return error == ENOMEM || error == EMFILE || error == ENFILE || error == EINTR;
}

int trusted_file_open(const char *path, int *ret_fd, char **ret_error) {
    _cleanup_close_ int fd = -1;
    const char *problem;
    struct stat st;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return -ENOENT;
    if (fd < 0 && is_passing(errno))
        return -errno;
    if (fd < 0 || fstat(fd, &st) < 0)
        return refuse(ret_error, strerror(errno));
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null */
        return -ERFKILL;
    problem = check(&st);
    if (problem)
        return refuse(ret_error, problem);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int trusted_file_look(const char *path, const char **ret_problem) {
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT ? -ENOENT : 0;
    if (S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0))
        return 0;
    *ret_problem = check(&st);
    return *ret_problem ? -EINVAL : 0;
}

int trusted_file_read(const char *path, size_t size_max, char **ret, size_t *ret_size,
                      char **ret_error) {
    _cleanup_close_ int fd = -1;
    int r;

    TRY(trusted_file_open(path, &fd, ret_error));
    r = read_fd(fd, size_max, ret, ret_size);
    if (r == -ENOMEM)
        return r;
    return r < 0 ? refuse(ret_error, strerror(-r)) : 0;
}

static int open_script(const char *path, int *ret_fd, char **ret_error) {
    _cleanup_close_ int fd = -1;
    struct stat st;

    TRY(trusted_file_open(path, &fd, ret_error));
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size == 0)
        return -ERFKILL;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int script_open(const char *const *directories, const char *script, char **ret_path, int *ret_fd,
                char **ret_error) {
    const char *const itself[] = {"", NULL};

    if (*script == '/')
        directories = itself;
    for (const char *const *d = directories; *d; d++) {
        _cleanup_free_ char *path = NULL, *problem = NULL;
        int r;

        if (asprintf(&path, "%s%s%s", *d, **d ? "/" : "", script) < 0)
            return -ENOMEM;
        r = open_script(path, ret_fd, &problem);
        if (r == -ENOENT)
            continue;
        if (r == -ERFKILL)
            r = refuse(&problem, "it is masked");
        if (r == -EINVAL && asprintf(ret_error, "%s: %s", path, problem) < 0)
            return -ENOMEM;
        if (r >= 0 && ret_path)
            *ret_path = TAKE_PTR(path);
        return r;
    }
    return -ENOENT;
}

bool script_exists(const char *const *directories, const char *script) {
    for (const char *const *d = directories; *d; d++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", *d, script) < 0 || access(path, F_OK) >= 0 || errno != ENOENT)
            return true;
    }
    return false;
}
