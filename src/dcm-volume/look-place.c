/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/look-place.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"

static bool is_mount_point(const Facts *f, const char *path) {
    for (size_t i = 0; i < f->n_mounts; i++)
        if (streq(f->mounts[i].target, path))
            return true;
    return false;
}

static int directory_place(int fd, PlaceType *ret) {
    const struct dirent *entry;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    int r = 0;

    if (!d) {
        r = -errno;
        safe_close(copy);
        return r;
    }
    *ret = PLACE_EMPTY;
    for (errno = 0; (entry = readdir(d)); errno = 0)
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            *ret = PLACE_FULL;
    r = -errno;
    (void)closedir(d);
    return r;
}

/* One step down. 1: *fd is that directory; 0: *ret says what is there instead. */
static int descend(int *fd, const char *name, PlaceType *ret) {
    struct stat st;
    int next;

    next = openat(*fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && errno == ENOENT) {
        *ret = PLACE_ABSENT;
        return 0;
    }
    if (next < 0)
        return -errno;
    safe_close(*fd);
    *fd = next;
    if (fstat(next, &st) < 0)
        return -errno;
    *ret = S_ISLNK(st.st_mode) ? PLACE_LINK : PLACE_OTHER;
    return S_ISDIR(st.st_mode);
}

int look_place(const Facts *f, const char *path, PlaceType *ret) {
    _cleanup_free_ char *copy = strdup(path);
    _cleanup_close_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char *rest = copy, *name;

    if (!copy)
        return -ENOMEM;
    if (fd < 0)
        return -errno;
    if (is_mount_point(f, path)) {
        *ret = PLACE_MOUNT_POINT;
        return 0;
    }
    while ((name = strsep(&rest, "/"))) {
        int r = *name ? descend(&fd, name, ret) : 1;

        if (r <= 0)
            return r;
    }
    return directory_place(fd, ret);
}
