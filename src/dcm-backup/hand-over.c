/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/hand-over.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"

#define DIRECTORIES BACKUP_STATE_DIRECTORY "/hand-over"
#define TEMPLATE DIRECTORIES "/XXXXXX"
#define UNIT "dcm-backup-sweep-"
#define USER "dcm" /* of hooks */
#define FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static const char program[] = PKGLIBDIR "/dcm-backup";

/* --- life --------------------------------------------------------------------------------------
 */

/* Shared while one is made, so that it is not taken for one that was left. */
static int open_directories(int operation) {
    _cleanup_close_ int fd = -1;

    if ((mkdir(BACKUP_STATE_DIRECTORY, 0755) < 0 && errno != EEXIST) ||
        (mkdir(DIRECTORIES, 0711) < 0 && errno != EEXIST))
        return -errno;
    fd = open(DIRECTORIES, FLAGS);
    if (fd < 0 || flock(fd, operation) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int make(HandOver *h) {
    _cleanup_close_ int directories = open_directories(LOCK_SH);
    char path[] = TEMPLATE;

    TRY(directories);
    if (!mkdtemp(path))
        return -errno;
    h->path = strdup(path);
    h->fd = open(path, FLAGS);
    if (!h->path || h->fd < 0 || flock(h->fd, LOCK_EX | LOCK_NB) < 0) {
        const int r = h->path ? -errno : -ENOMEM;

        (void)rmdir(path);
        return r;
    }
    return 0;
}

/* What is handed over may be a database in clear: it must not stay when this run is killed. */
static int start_sweeper(Work *w, const HandOver *h) {
    const char *name = strrchr(h->path, '/') + 1;
    _cleanup_free_ char *unit = NULL;

    if (asprintf(&unit, "--unit=" UNIT "%s", name) < 0) {
        unit = NULL;
        return -ENOMEM;
    }
    return work_tool(w,
                     (const char *const[]){"systemd-run", "--quiet", "--collect", unit, program,
                                           "sweep", name, NULL},
                     NULL);
}

int hand_over_begin(Work *w, HandOver *ret) {
    const int r = make(ret);

    return r < 0 ? work_fail(w, "no-space-here",
                             "A directory in " DIRECTORIES " cannot be made: %s", strerror(-r))
                 : start_sweeper(w, ret);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    return remove(path);
}

static int remove_directory(const char *path) {
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT ? -errno : 0;
}

/* First nobody else may change it any more. */
void hand_over_done(HandOver *h) {
    int r = 0;

    if (h->fd >= 0 && (fchown(h->fd, 0, 0) < 0 || fchmod(h->fd, 0700) < 0))
        r = -errno;
    if (h->path && r >= 0)
        r = remove_directory(h->path);
    if (r < 0)
        log_warning_errno(r, "%s cannot be removed: %m", h->path);
    free(h->path);
    safe_close(h->fd);
    *h = HAND_OVER_NONE;
}

static int clean_one(const char *name, int operation) {
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, DIRECTORIES "/%s", name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    fd = open(path, FLAGS);
    if (fd < 0 || flock(fd, operation) < 0)
        return 0; /* gone, or in use */
    return fchown(fd, 0, 0) < 0 || fchmod(fd, 0700) < 0 ? -errno : remove_directory(path);
}

int hand_over_clean(void) {
    _cleanup_close_ int directories = open_directories(LOCK_EX);
    struct dirent **list = NULL;
    int n, r = 0;

    TRY(directories);
    n = scandir(DIRECTORIES, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.')
            r = MIN(r, clean_one(list[i]->d_name, LOCK_EX | LOCK_NB));
        free(list[i]);
    }
    free(list);
    return r;
}

/* The unit's; the run has the lock until it ends. */
int hand_over_sweep(const char *name) {
    const int r = strchr(name, '/') || *name == '.' ? -EINVAL : clean_one(name, LOCK_EX);

    return r < 0 ? log_error_errno(r, "What was handed to a hook cannot be removed: %m") : 0;
}

/* --- files -------------------------------------------------------------------------------------
 */

int hand_over_path(const HandOver *h, const char *name, char **ret) {
    if (asprintf(ret, "%s/%s", h->path, name) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

int hand_over_open_new(Work *w, const HandOver *h, const char *name, int *ret_fd) {
    const int fd = openat(h->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return work_fail(w, "no-space-here", "%s/%s cannot be made: %m", h->path, name);
    *ret_fd = fd;
    return 0;
}

int hand_over_write(Work *w, const HandOver *h, const char *name, const char *text,
                    char **ret_path) {
    _cleanup_close_ int fd = -1;
    int r;

    TRY(hand_over_open_new(w, h, name, &fd));
    r = write_full(fd, text, strlen(text));
    if (r < 0)
        return work_fail(w, "no-space-here", "%s/%s cannot be written: %s", h->path, name,
                         strerror(-r));
    return hand_over_path(h, name, ret_path);
}

static int give_file(const HandOver *h, const char *name, const struct passwd *user) {
    _cleanup_close_ int fd = openat(h->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    /* the old script's mode */
    return fd < 0 || fchown(fd, user->pw_uid, user->pw_gid) < 0 || fchmod(fd, 0750) < 0 ? -errno
                                                                                        : 0;
}

static int give_all(const HandOver *h, const struct passwd *user) {
    struct dirent **list = NULL;
    const int n = scandirat(h->fd, ".", &list, NULL, alphasort);
    int r = n < 0 ? -errno : 0;

    for (int i = 0; i < n; i++) {
        if (r >= 0 && list[i]->d_name[0] != '.')
            r = give_file(h, list[i]->d_name, user);
        free(list[i]);
    }
    free(list);
    TRY(r);
    return fchown(h->fd, user->pw_uid, user->pw_gid) < 0 ? -errno : 0;
}

int hand_over_give(Work *w, const HandOver *h) {
    const struct passwd *user = getpwnam(USER);
    int r;

    if (!user)
        return work_fail(w, "failed",
                         "There is no user " USER ", who runs hooks; the package dcm-agent makes "
                         "one");
    r = give_all(h, user);
    return r < 0 ? work_fail(w, "failed", "%s cannot be handed over: %s", h->path, strerror(-r))
                 : 0;
}

int hand_over_take_back(Work *w, const HandOver *h) {
    return fchown(h->fd, 0, 0) < 0 || fchmod(h->fd, 0700) < 0
               ? work_fail(w, "failed", "%s cannot be taken back: %m", h->path)
               : 0;
}

/* A link, of whatever kind, could lead to a file that the hook may not read. */
int hand_over_take_file(const HandOver *h, const char *name, int *ret_fd) {
    _cleanup_close_ int fd =
        openat(h->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return -EINVAL;
    (void)unlinkat(h->fd, name, 0);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
