/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "service/mountinfo.h"

#define MOUNTINFO "/proc/self/mountinfo"

static int read_mounts(char **ret) {
    const int r = read_file_at(AT_FDCWD, MOUNTINFO, PROC_FILE_MAX, ret, NULL);

    return r < 0 ? log_error_errno(r, MOUNTINFO " cannot be read: %m") : 0;
}

int mounts_refuse(const Services *s, const char *name) {
    _cleanup_free_ char *text = NULL, *parent = NULL, *path = NULL, *point = NULL;
    int r;

    parent = realpath(s->path, NULL);
    if (!parent)
        return log_error_errno(errno, "%s cannot be looked at: %m", s->path);
    if (asprintf(&path, "%s/%s", parent, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    TRY(read_mounts(&text));
    r = mountinfo_find_below(text, path, &point);
    if (r == -ENOENT)
        return 0;
    TRY(r);
    log_error("A file system is mounted at %s. What is in it would be moved away with the "
              "directory, and removed later: unmount it, and mount it outside of %s/%s",
              point, s->path, name);
    return -EBUSY;
}

/* statx(2) tells it only since Linux 5.8. */
static int find_mount(int fd, uint64_t *ret_id) {
    _cleanup_free_ char *text = NULL;
    unsigned long long id;
    const char *line;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    TRY(read_file_at(AT_FDCWD, path, PROC_FILE_MAX, &text, NULL));
    line = strstr(text, "mnt_id:");
    if (!line || sscanf(line, "mnt_id: %llu", &id) != 1)
        return -EOPNOTSUPP;
    *ret_id = id;
    return 0;
}

int mounts_find_file_system(int fd, dev_t *ret) {
    _cleanup_free_ char *text = NULL;
    uint64_t id;

    TRY(find_mount(fd, &id));
    TRY(read_mounts(&text));
    return mountinfo_find_device(text, id, ret);
}
