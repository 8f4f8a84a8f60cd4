/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is written into a file that is removed: it may have other names, and whoever made these
 * may have chosen a file of somebody else. */
#include "dcm-scrub/remove.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/terminal.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#define ROUNDS_MAX 10u

typedef struct Remover {
    int error;      /* the first one */
    bool is_filled; /* a directory still has, or has again, something in it */
} Remover;

static void tell(Remover *r, const char *path, int error) {
    terminal_printf(stderr, "/%s cannot be removed: %s\n", path, strerror(-error));
    if (r->error == 0)
        r->error = error;
}

static int unlink_it(const Visit *v, void *userdata) {
    Remover *r = userdata;
    const bool is_directory = v->stage == VISIT_LEAVE;

    if (v->stage == VISIT_ENTER ||
        unlinkat(v->dir_fd, v->name, is_directory ? AT_REMOVEDIR : 0) >= 0 || errno == ENOENT)
        return 0;
    if (is_directory && (errno == ENOTEMPTY || errno == EEXIST))
        r->is_filled = true;
    else
        tell(r, v->path, -errno);
    return 0;
}

/* The file itself: while a machine has only a transient id, systemd has mounted that over it. */
static int open_below_mounts(int dir_fd, const char *name) {
    const long tree =
        syscall(SYS_open_tree, dir_fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | O_CLOEXEC);
    _cleanup_close_ int directory = tree < 0 ? -1 : (int)tree;
    int fd;

    fd = openat(directory >= 0 ? directory : dir_fd, name,
                O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int empty_it(int dir_fd, const char *name) {
    _cleanup_close_ int fd = open_below_mounts(dir_fd, name);
    struct stat st;

    TRY(fd);
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
        return -EMLINK;
    return ftruncate(fd, 0) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* What is written meanwhile, or what a file system did not list, makes another round necessary. */
static int remove_tree(const Beneath *b, const char *path, Remover *r) {
    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        r->is_filled = false;
        TRY(beneath_walk(b, path, unlink_it, r));
        if (!r->is_filled || r->error < 0)
            return 0;
    }
    return -ENOTEMPTY;
}

static int remove_item(const Beneath *b, const Item *item, Remover *remover) {
    _cleanup_close_ int parent = -1;
    const char *name = "";
    int r;

    if (!item->rule->is_emptied)
        return remove_tree(b, item->path, remover);
    r = beneath_open_parent(b, item->path, &parent, &name);
    return r < 0 ? r : empty_it(parent, name);
}

int remove_planned(const Beneath *b, const Plan *p, bool is_verbose) {
    Remover remover = {};

    for (size_t i = 0; i < p->n; i++) {
        const int r = remove_item(b, &p->items[i], &remover);

        if (r < 0)
            tell(&remover, p->items[i].path, r);
        else if (is_verbose)
            terminal_printf(stdout, "%s /%s\n",
                            p->items[i].rule->is_emptied ? "emptied" : "removed", p->items[i].path);
    }
    return remover.error;
}
