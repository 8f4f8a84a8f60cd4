/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/lock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-volume/progress.h"

#define PATIENCE_USEC (60 * USEC_PER_SEC)
#define TRY_MSEC 100 /* flock(2) has no time limit: it is tried so often */
#define LOCKS_TEXT_MAX ((size_t)4 * 1024 * 1024)

const LockPatience lock_patience = {.usec = PATIENCE_USEC, .on_wait = progress_line};

/* --- whose lock it is ----------------------------------------------------------------------- */

/* "3: FLOCK  ADVISORY  WRITE 1234 00:05:312 0 EOF"; one that waits has -> before FLOCK. The process
 * is the one that took the lock: another one may have it by now. */
static bool is_lock_of(const char *line, const struct stat *st, int *ret_pid) {
    unsigned disk_major, disk_minor;
    unsigned long long inode;
    int pid;

    if (sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%llu", &pid, &disk_major, &disk_minor, &inode) !=
        4)
        return false;
    *ret_pid = pid;
    return makedev(disk_major, disk_minor) == st->st_dev && inode == st->st_ino;
}

static int describe_process(int pid, char **ret) {
    _cleanup_free_ char *name = NULL;
    char path[64], shown[64] = "";

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    if (pid > 0 && read_file_at(AT_FDCWD, path, 64, &name, NULL) >= 0)
        (void)utf8_format(shown, sizeof(shown), "%.*s", (int)strcspn(name, "\n"), name);
    if (!*shown)
        *ret = strdup("another program");
    else if (asprintf(ret, "%s (%d)", shown, pid) < 0)
        *ret = NULL;
    return *ret ? 0 : -ENOMEM;
}

int lock_find_holder(int fd, char **ret) {
    _cleanup_free_ char *text = NULL;
    struct stat st;
    int pid = 0;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (read_file_at(AT_FDCWD, "/proc/locks", LOCKS_TEXT_MAX, &text, NULL) < 0)
        return describe_process(0, ret);
    for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (is_lock_of(line, &st, &pid))
            return describe_process(pid, ret);
    return describe_process(0, ret);
}

/* --- locks ---------------------------------------------------------------------------------- */

/* The disk of a partition is locked instead of it. */
static dev_t disk_of(dev_t device) {
    char path[64];
    _cleanup_free_ char *text = NULL;
    unsigned disk_major, disk_minor;

    (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(device),
                   minor(device));
    if (read_file_at(AT_FDCWD, path, 64, &text, NULL) < 0)
        return device;
    free(TAKE_PTR(text));
    (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(device), minor(device));
    if (read_file_at(AT_FDCWD, path, 64, &text, NULL) < 0 ||
        sscanf(text, "%u:%u", &disk_major, &disk_minor) != 2)
        return device;
    return makedev(disk_major, disk_minor);
}

static int compare(const void *a, const void *b) {
    dev_t x = *(const dev_t *)a, y = *(const dev_t *)b;

    return x < y ? -1 : x > y;
}

static int say_wait(int fd, const char *name, const LockPatience *patience) {
    _cleanup_free_ char *holder = NULL, *text = NULL;

    TRY(lock_find_holder(fd, &holder));
    if (asprintf(&text, "waiting for %s, which %s has locked", name, holder) < 0) {
        text = NULL;
        return -ENOMEM;
    }
    patience->on_wait(text, NULL);
    return 0;
}

static int refuse_locked(int fd, const char *name, const LockPatience *patience,
                         char **ret_problem) {
    _cleanup_free_ char *holder = NULL;

    TRY(lock_find_holder(fd, &holder));
    if (asprintf(ret_problem,
                 "%s is locked by %s, and was not released within %" PRIu64
                 " s: wait until that has ended, then repeat this",
                 name, holder, patience->usec / USEC_PER_SEC) < 0) {
        *ret_problem = NULL;
        return -ENOMEM;
    }
    return -EBUSY;
}

int lock_wait(int fd, const char *name, const LockPatience *patience, char **ret_problem) {
    const uint64_t until_usec = now_usec(CLOCK_BOOTTIME) + patience->usec;
    bool said = false;

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (now_usec(CLOCK_BOOTTIME) >= until_usec)
            return refuse_locked(fd, name, patience, ret_problem);
        if (!said)
            TRY(say_wait(fd, name, patience));
        said = true;
        (void)poll(NULL, 0, TRY_MSEC);
    }
    return 0;
}

/* The kernel's name, for people; the numbers if there is none. */
static void name_of(dev_t device, char ret[static 256]) {
    char path[64], target[256];
    const char *slash;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
    n = readlink(path, target, sizeof(target) - 1);
    target[MAX(n, (ssize_t)0)] = 0;
    slash = strrchr(target, '/');
    if (slash)
        (void)snprintf(ret, 256, "%s", slash + 1);
    else
        (void)snprintf(ret, 256, "the device %u:%u", major(device), minor(device));
}

static int lock(dev_t device, const LockPatience *patience, int *ret_fd, char **ret_problem) {
    _cleanup_close_ int fd = -1;
    char path[64], name[256];

    (void)snprintf(path, sizeof(path), "/dev/block/%u:%u", major(device), minor(device));
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    name_of(device, name);
    TRY(lock_wait(fd, name, patience, ret_problem));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Sorts, and leaves out what is there twice. */
static size_t order(dev_t *devices, size_t n) {
    size_t kept = 0;

    qsort(devices, n, sizeof(*devices), compare);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || devices[i] != devices[kept - 1])
            devices[kept++] = devices[i];
    return kept;
}

/* A second lock of the same disk would wait for the first one for ever: flock(2). */
static bool holds(const DeviceLocks *l, const dev_t *devices, size_t n) {
    return l->n == n && (n == 0 || memcmp(l->devices, devices, n * sizeof(*devices)) == 0);
}

static int lock_all(DeviceLocks *l, dev_t *devices, size_t n, const LockPatience *patience,
                    char **ret_problem) {
    l->fds = calloc(n + 1, sizeof(*l->fds));
    if (!l->fds)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        TRY(lock(devices[i], patience, &l->fds[i], ret_problem));
        l->n++;
    }
    return 0;
}

int device_locks_take(DeviceLocks *l, char *const *paths, const LockPatience *patience,
                      char **ret_problem) {
    _cleanup_free_ dev_t *devices = NULL;
    size_t n = 0;
    struct stat st;
    int r;

    for (char *const *p = paths; p && *p; p++)
        n++;
    devices = calloc(n + 1, sizeof(*devices));
    if (!devices)
        return -ENOMEM;
    n = 0;
    for (char *const *p = paths; p && *p; p++)
        if (stat(*p, &st) >= 0 && S_ISBLK(st.st_mode))
            devices[n++] = disk_of(st.st_rdev);
    n = order(devices, n);
    if (holds(l, devices, n))
        return 0;
    device_locks_release(l);
    r = lock_all(l, devices, n, patience, ret_problem);
    if (r < 0)
        device_locks_release(l);
    else
        l->devices = TAKE_PTR(devices);
    return r;
}

void device_locks_release(DeviceLocks *l) {
    for (size_t i = 0; i < l->n; i++)
        safe_close(l->fds[i]);
    free(l->fds);
    free(l->devices);
    *l = (DeviceLocks){};
}
