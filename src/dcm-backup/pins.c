/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/pins.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "dcm-backup/safe-path.h"

typedef struct Pin {
    SafePath path;
    int cover_fd; /* on its directory; -1: that of another pin is there */
} Pin;

typedef struct Pins {
    Pin *pins;
    size_t n;
} Pins;

static void pins_done(Pins *p) {
    for (size_t i = 0; i < p->n; i++) {
        safe_path_done(&p->pins[i].path);
        safe_close(p->pins[i].cover_fd);
    }
    free(p->pins);
}

static bool is_below(const char *path, const char *of) {
    const size_t size = strlen(of);

    return strncmp(path, of, size) == 0 && path[size] == '/';
}

static bool is_below_another(const char *path, char *const *paths) {
    for (char *const *s = paths; *s; s++)
        if (is_below(path, *s))
            return true;
    return false;
}

/* All of them, before the first cover hides something. */
static int open_paths(char *const *paths, Pins *p) {
    size_t n = 0;

    while (paths[n])
        n++;
    p->pins = calloc(n + 1, sizeof(Pin));
    if (!p->pins)
        return -ENOMEM;
    for (char *const *s = paths; *s; s++) {
        Pin *pin = &p->pins[p->n];

        if (is_below_another(*s, paths))
            continue;
        pin->cover_fd = -1;
        TRY(safe_open_path(*s, &pin->path));
        p->n++;
    }
    return 0;
}

static bool is_same(int a, int b) {
    struct stat x, y;

    return fstat(a, &x) >= 0 && fstat(b, &y) >= 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int find_cover(const Pins *p, const Pin *pin) {
    for (size_t i = 0; i < p->n; i++)
        if (p->pins[i].cover_fd >= 0 &&
            is_same(p->pins[i].path.directory_fd, pin->path.directory_fd))
            return p->pins[i].cover_fd;
    return -1;
}

static int make_cover(int directory_fd, int *ret_fd) {
    _cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -1;

    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (fd < 0 ||
        move_mount(fd, "", directory_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int make_file(int dir_fd, const char *name) {
    _cleanup_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 ? -errno : 0;
}

/* The directories on the way, and something that what was found can be mounted on. */
static int make_place(int cover_fd, char *rest, bool is_directory) {
    for (char *slash = rest; (slash = strchr(slash, '/')); slash++) {
        int r;

        *slash = 0;
        r = mkdirat(cover_fd, rest, 0755) < 0 && errno != EEXIST ? -errno : 0;
        *slash = '/';
        TRY(r);
    }
    if (!is_directory)
        return make_file(cover_fd, rest);
    return mkdirat(cover_fd, rest, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int put(const Pin *pin, int cover_fd) {
    _cleanup_close_ int tree = open_tree(
        pin->path.fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct stat st;

    if (tree < 0 || fstat(pin->path.fd, &st) < 0)
        return -errno;
    TRY(make_place(cover_fd, pin->path.rest, S_ISDIR(st.st_mode)));
    return move_mount(tree, "", cover_fd, pin->path.rest, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static int place_one(Pins *p, Pin *pin) {
    int fd = find_cover(p, pin);

    if (fd < 0) {
        TRY(make_cover(pin->path.directory_fd, &pin->cover_fd));
        fd = pin->cover_fd;
    }
    return put(pin, fd);
}

int pins_place(char *const *paths) {
    _cleanup_(pins_done) Pins p = {};

    TRY(open_paths(paths, &p));
    for (size_t i = 0; i < p.n; i++)
        if (p.pins[i].path.directory_fd >= 0)
            TRY(place_one(&p, &p.pins[i]));
    return 0;
}
