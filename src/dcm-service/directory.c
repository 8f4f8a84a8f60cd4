/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "service/service-id.h"
#include "site/storage.h"

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void services_done(Services *s) {
    free(s->path);
    s->fd = safe_close(s->fd);
    s->path = NULL;
}

static int check_directory(const char *path, int fd) {
    struct stat st;

    if (fd < 0 && errno == ENOENT) {
        log_error("There is no directory %s for services; make it, or set services_dir in "
                  "agent.conf, section [storage]",
                  path);
        return -EINVAL;
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)log_error_errno(errno, "The directory of services %s cannot be opened: %m", path);
        return -EINVAL;
    }
    if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)) {
        log_error("The directory of services %s must belong to root, and nobody else may be able "
                  "to write it: chown root, chmod go-w",
                  path);
        return -EINVAL;
    }
    return 0;
}

int services_open(Services *ret) {
    _cleanup_(services_done) Services s = {.fd = -1};

    TRY(storage_get_services_dir(&s.path));
    s.fd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    TRY(check_directory(s.path, s.fd));
    *ret = s;
    s = (Services){.fd = -1};
    return 0;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_directory(int dir_fd, const char *name) {
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int services_list(const Services *s, char ***ret) {
    _cleanup_(strv_freep) char **list = NULL;
    const int fd = openat(s->fd, ".", DIRECTORY_FLAGS);
    size_t n = 0;
    struct dirent *e;
    DIR *d;
    int r = 0;

    d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        safe_close(fd);
        return -errno;
    }
    while (r >= 0 && (errno = 0, e = readdir(d)))
        if (service_id_is_valid(e->d_name) && is_directory(s->fd, e->d_name))
            r = n < SERVICES_MAX ? strv_push(&list, &n, strdup(e->d_name)) : -E2BIG;
    if (r >= 0 && errno != 0)
        r = -errno;
    (void)closedir(d);
    TRY(r);
    if (n > 0)
        qsort(list, n, sizeof(char *), compare);
    *ret = TAKE_PTR(list);
    return 0;
}

int service_open(const Services *s, const char *id, int *ret_fd) {
    int fd;

    if (!service_id_is_valid(id)) {
        log_error("This is no id of a service: it begins with the letter a and has letters, "
                  "digits, dots, dashes and underscores, at most %zu",
                  SERVICE_ID_MAX);
        return -EINVAL;
    }
    fd = openat(s->fd, id, DIRECTORY_FLAGS);
    if (fd < 0)
        return log_error_errno(errno == ENOENT ? ENOENT : EINVAL, "There is no service %s in %s",
                               id, s->path);
    *ret_fd = fd;
    return 0;
}

/* A link is a hook as well: it is run with no more rights than a copy would have. */
HookState hook_look(int service_fd, const char *name) {
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "bin/enstratus-%s", name);
    if (fstatat(service_fd, path, &st, 0) < 0)
        return HOOK_ABSENT;
    return S_ISREG(st.st_mode) && st.st_mode & 0111 ? HOOK_PRESENT : HOOK_NOT_EXECUTABLE;
}

static bool is_only_for(const struct stat *st, uid_t owner) {
    const mode_t others = S_IWGRP | S_IWOTH;

    /* in a sticky directory, others can remove only what is their own */
    return (st->st_uid == 0 || st->st_uid == owner) &&
           (!(st->st_mode & others) || (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX));
}

int hook_check_for_root(int service_fd, const char *name, const char **ret_why) {
    struct stat directory, bin, hook;
    char path[64];

    (void)snprintf(path, sizeof(path), "bin/enstratus-%s", name);
    if (fstat(service_fd, &directory) < 0 ||
        fstatat(service_fd, "bin", &bin, AT_SYMLINK_NOFOLLOW) < 0 ||
        fstatat(service_fd, path, &hook, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISDIR(bin.st_mode) || !S_ISREG(hook.st_mode))
        *ret_why = "it, or bin, is a link";
    else if (!is_only_for(&directory, directory.st_uid))
        *ret_why = "others can write in the directory of the service: chmod +t";
    else if (!is_only_for(&bin, directory.st_uid) || bin.st_mode & (S_IWGRP | S_IWOTH))
        *ret_why = "others than the service's user can write in bin: chown, chmod go-w";
    else if (!is_only_for(&hook, directory.st_uid))
        *ret_why = "others than the service's user can write it: chown, chmod go-w";
    else
        return 0;
    return -EPERM;
}

/* --- settings ------------------------------------------------------------------------------- */

static int open_cfg(int service_fd, uid_t uid, gid_t gid, int *ret_fd) {
    _cleanup_close_ int fd = -1;
    const bool is_new = mkdirat(service_fd, "cfg", 0700) == 0;

    fd = openat(service_fd, "cfg", DIRECTORY_FLAGS);
    if (fd < 0 || (is_new && (fchown(fd, uid, gid) < 0 || fchmod(fd, 0770) < 0)))
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int write_new(int dir_fd, const char *name, const char *text, size_t size, uid_t uid,
                     gid_t gid) {
    _cleanup_close_ int fd = -1;

    (void)unlinkat(dir_fd, name, 0);
    fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    TRY(write_full(fd, text, size));
    return fchown(fd, uid, gid) < 0 || fchmod(fd, 0640) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int service_write_setting(int service_fd, const char *name, const char *text, size_t size,
                          uid_t uid, gid_t gid) {
    _cleanup_close_ int fd = -1;
    char temporary[64];
    int r;

    (void)snprintf(temporary, sizeof(temporary), ".%s.new", name);
    TRY(open_cfg(service_fd, uid, gid, &fd));
    r = write_new(fd, temporary, text, size, uid, gid);
    if (r >= 0 && renameat(fd, temporary, fd, name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(fd, temporary, 0);
    return r < 0 ? r : fsync_directory(fd);
}
