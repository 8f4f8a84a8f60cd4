/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/freeze.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "dcm-service/mounts.h"
#include "service/service-turn.h"

#define LIST SERVICES_RUN "/frozen"
#define LIST_SIZE_MAX ((size_t)4 * 1024 * 1024)
#define FILE_SYSTEMS_MAX 64u

/* Where the agent, systemd and the journal write: a freeze would stop who is to thaw. */
static const char *const vital[] = {"/",
                                    "/etc",
                                    "/usr",
                                    "/run",
                                    "/tmp",
                                    "/var",
                                    "/var/tmp",
                                    "/dev",
                                    "/var/log",
                                    "/var/lib",
                                    JOBSDIR,
                                    STATEDIR,
                                    "/var/log/journal"};

typedef struct FileSystems {
    dev_t devices[FILE_SYSTEMS_MAX]; /* mounts_find_file_system(): st_dev is another one for each
                                        subvolume of what is frozen as a whole */
    int fds[FILE_SYSTEMS_MAX];       /* a directory on it */
    char *paths[FILE_SYSTEMS_MAX];
    size_t n;
} FileSystems;

static void file_systems_done(FileSystems *f) {
    for (size_t i = 0; i < f->n; i++) {
        safe_close(f->fds[i]);
        free(f->paths[i]);
    }
}

/* What is not there is not needed; what cannot be looked at might be. */
static bool is_vital(dev_t device) {
    for (size_t i = 0; i < ELEMENTSOF(vital); i++) {
        _cleanup_close_ int fd = open(vital[i], O_PATH | O_CLOEXEC);
        dev_t other;

        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0 || mounts_find_file_system(fd, &other) < 0 || other == device)
            return true;
    }
    return false;
}

static bool has_device(const FileSystems *f, dev_t device) {
    for (size_t i = 0; i < f->n; i++)
        if (f->devices[i] == device)
            return true;
    return false;
}

static int add(FileSystems *f, const Services *s, const char *id) {
    _cleanup_close_ int fd = -1;
    dev_t device;
    int r;

    TRY(service_open(s, id, &fd));
    r = mounts_find_file_system(fd, &device);
    if (r < 0)
        return log_error_errno(r, "The file system of %s is not known: %m", id);
    if (has_device(f, device))
        return 0;
    if (is_vital(device)) {
        log_error("The file system of the service %s cannot be frozen: the system or the agent "
                  "writes there, too; put the services on a file system of their own",
                  id);
        return -EBUSY;
    }
    if (f->n == FILE_SYSTEMS_MAX)
        return log_error_errno(E2BIG, "The services lie on more than %u file systems",
                               FILE_SYSTEMS_MAX);
    if (asprintf(&f->paths[f->n], "%s/%s", s->path, id) < 0)
        return -ENOMEM;
    f->devices[f->n] = device;
    f->fds[f->n++] = TAKE_FD(fd);
    return 0;
}

/* The first `n` of them. */
static int write_list(const FileSystems *f, size_t n) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    int r;

    if (!to)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        (void)fprintf(to, "%s\n", f->paths[i]);
    if (fclose(to) != 0)
        return -ENOMEM;
    r = write_file_atomic(LIST, text, size, 0600);
    return r < 0 ? log_error_errno(r, LIST " cannot be written: %m") : 0;
}

/* What somebody else has frozen is not ours to thaw, and they may thaw it at any time. */
static int freeze_one(const FileSystems *f, size_t i) {
    int r;

    TRY(write_list(f, i + 1));
    if (ioctl(f->fds[i], FIFREEZE, 0) == 0)
        return 0;
    r = -errno;
    (void)write_list(f, i);
    if (r == -EBUSY)
        log_error("The file system of %s is frozen by somebody else: try again when it is thawed",
                  f->paths[i]);
    else
        (void)log_error_errno(r, "The file system of %s cannot be frozen: %m", f->paths[i]);
    return r;
}

int freeze_services(const Services *s, char *const *ids) {
    _cleanup_(file_systems_done) FileSystems f = {};
    int r = 0;

    for (char *const *id = ids; id && *id; id++)
        TRY(add(&f, s, *id));
    for (size_t i = 0; r >= 0 && i < f.n; i++)
        r = freeze_one(&f, i);
    if (r < 0)
        (void)freeze_end();
    return r;
}

/* Opening a directory writes nothing, not even the time of the access. */
static int thaw(const char *path) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);

    if (fd < 0)
        return log_error_errno(errno, "%s cannot be opened, to thaw its file system: %m", path);
    if (ioctl(fd, FITHAW, 0) < 0 && errno != EINVAL) /* EINVAL: it is not frozen */
        return log_error_errno(errno, "The file system of %s cannot be thawed: %m", path);
    return 0;
}

int freeze_end(void) {
    _cleanup_free_ char *text = NULL;
    char *save = NULL;
    int r, result = 0;

    r = read_file_at(AT_FDCWD, LIST, LIST_SIZE_MAX, &text, NULL);
    if (r == -ENOENT)
        return 0;
    TRY(r);
    for (char *path = strtok_r(text, "\n", &save); path; path = strtok_r(NULL, "\n", &save)) {
        r = thaw(path);
        result = result < 0 ? result : r;
    }
    if (result >= 0 && unlink(LIST) < 0)
        result = -errno;
    return result;
}
