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
#define UNFINISHED_SIZE (JOB_NAME_SIZE + 1)

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

/* -ENOENT: there is nothing. */
static int drop(int root_fd, const char *directory) {
    TRY(drop_files(root_fd, directory));
    return unlinkat(root_fd, directory, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static void tell_dropped(const char *job_name, int error) {
    if (error < 0 && error != -ENOENT)
        (void)log_warning_errno(error, "The secrets of %s cannot be removed: %m", job_name);
}

static int write_all(int root_fd, const char *directory, const Secret *secrets, size_t n) {
    _cleanup_close_ int dir_fd = -1;
    int r = 0;

    /* not -EEXIST, which has another meaning for callers */
    if (mkdirat(root_fd, directory, DIRECTORY_MODE) < 0)
        return errno == EEXIST ? -EBUSY : -errno;
    dir_fd = openat(root_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir_fd < 0)
        return -errno;
    for (size_t i = 0; i < n && r >= 0; i++)
        r = copy(dir_fd, &secrets[i]);
    return r;
}

/* Those of an earlier start are there until the same ones take their place: systemd may be reading
 * them, as the start may have got through. */
static int put_in_place(int root_fd, const char *made, const char *job_name) {
    if (renameat2(root_fd, made, root_fd, job_name, RENAME_NOREPLACE) >= 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    if (renameat2(root_fd, made, root_fd, job_name, RENAME_EXCHANGE) < 0)
        return -errno;
    return drop(root_fd, made);
}

/* No job's name begins with a dot. */
static void name_unfinished(const char *job_name, char ret[static UNFINISHED_SIZE]) {
    (void)snprintf(ret, UNFINISHED_SIZE, ".%s", job_name);
}

int secrets_write(const JobDir *d, const Secret *secrets, size_t n) {
    _cleanup_close_ int root_fd = -1;
    char unfinished[UNFINISHED_SIZE];
    int r;

    if (n == 0)
        return 0;
    root_fd = open_root();
    if (root_fd < 0)
        return root_fd;
    name_unfinished(d->name, unfinished);
    (void)drop(root_fd, unfinished); /* of an executor that ended on the way */
    r = write_all(root_fd, unfinished, secrets, n);
    if (r >= 0)
        r = put_in_place(root_fd, unfinished, d->name);
    if (r < 0)
        (void)drop(root_fd, unfinished);
    return r == -ENOTEMPTY || r == -EISDIR ? -EBUSY : r;
}

void secrets_drop(const char *job_name) {
    _cleanup_close_ int root_fd = open_root();
    char unfinished[UNFINISHED_SIZE];

    if (root_fd < 0)
        return;
    name_unfinished(job_name, unfinished);
    tell_dropped(job_name, drop(root_fd, unfinished));
    tell_dropped(job_name, drop(root_fd, job_name));
}
