/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"

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

static int lock(dev_t device, int *ret_fd) {
    _cleanup_close_ int fd = -1;
    char path[64];

    (void)snprintf(path, sizeof(path), "/dev/block/%u:%u", major(device), minor(device));
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
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

static int lock_all(DeviceLocks *l, dev_t *devices, size_t n) {
    l->fds = calloc(n + 1, sizeof(*l->fds));
    if (!l->fds)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        TRY(lock(devices[i], &l->fds[i]));
        l->n++;
    }
    return 0;
}

int device_locks_take(DeviceLocks *l, char *const *paths) {
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
    r = lock_all(l, devices, n);
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
