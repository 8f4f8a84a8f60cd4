/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/secrets.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"

#define DIRECTORY_MODE 0700
#define SECRET_MODE 0600

static const char *get_root(void) {
    return getenv("RUNTIME_DIRECTORY") ?: "/run/dcm-job-secrets";
}

static int open_root(void) {
    int fd = open(get_root(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int secret_get_path(const JobDir *d, const char *name, char **ret) {
    return asprintf(ret, "%s/%s/%s", get_root(), d->name, name) < 0 ? -ENOMEM : 0;
}

static int copy(int dir_fd, const Secret *s) {
    _cleanup_close_ int fd = -1;
    uint64_t done = 0;
    char buf[4096];
    int r = 0;

    fd = openat(dir_fd, s->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, SECRET_MODE);
    if (fd < 0)
        return -errno;
    while (done < s->size && r >= 0) {
        ssize_t n = pread(s->fd, buf, MIN(sizeof(buf), s->size - done), (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            r = n < 0 ? -errno : -EBADMSG;
        else
            r = write_full(fd, buf, (size_t)n);
        done += (uint64_t)MAX(n, 0);
    }
    explicit_bzero(buf, sizeof(buf));
    return r;
}

static int write_all(int root_fd, const JobDir *d, const Secret *secrets, size_t n) {
    _cleanup_close_ int dir_fd = -1;
    int r = 0;

    /* not -EEXIST, which has another meaning for callers */
    if (mkdirat(root_fd, d->name, DIRECTORY_MODE) < 0)
        return errno == EEXIST ? -EBUSY : -errno;
    dir_fd = openat(root_fd, d->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir_fd < 0)
        return -errno;
    for (size_t i = 0; i < n && r >= 0; i++)
        r = copy(dir_fd, &secrets[i]);
    return r;
}

int secrets_write(const JobDir *d, const Secret *secrets, size_t n) {
    _cleanup_close_ int root_fd = -1;
    int r;

    if (n == 0)
        return 0;
    root_fd = open_root();
    if (root_fd < 0)
        return root_fd;
    secrets_drop(d->name); /* left by an earlier start that was interrupted */
    r = write_all(root_fd, d, secrets, n);
    if (r < 0)
        secrets_drop(d->name);
    return r;
}

static int drop_files(int root_fd, const char *job_name) {
    const struct dirent *entry;
    int dir_fd, r = 0;
    DIR *dir;

    dir_fd = openat(root_fd, job_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir_fd < 0)
        return -errno;
    dir = fdopendir(dir_fd);
    if (!dir) {
        safe_close(dir_fd);
        return -ENOMEM;
    }
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
            r = -errno;
    (void)closedir(dir);
    return r;
}

void secrets_drop(const char *job_name) {
    _cleanup_close_ int root_fd = open_root();
    int r;

    if (root_fd < 0)
        return;
    r = drop_files(root_fd, job_name);
    if (r >= 0 && unlinkat(root_fd, job_name, AT_REMOVEDIR) < 0)
        r = -errno;
    if (r < 0 && r != -ENOENT)
        (void)log_warning_errno(r, "The secrets of %s cannot be removed: %m", job_name);
}
