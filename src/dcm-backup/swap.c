/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/swap.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"

#define NEW ".dcm-new-"
#define FORMER ".dcm-former-"

void swap_done(Swap *s) {
    free(s->live);
    free(s->parent);
    free(s->name);
    free(s->new);
    *s = (Swap){};
}

static int split(const char *live, Swap *s) {
    const char *slash = strrchr(live, '/');

    s->live = strdup(live);
    s->parent = slash == live ? strdup("/") : strndup(live, (size_t)(slash - live));
    s->name = strdup(slash + 1);
    return s->live && s->parent && s->name ? 0 : -ENOMEM;
}

static int remove_tree(Work *w, const char *path) {
    return work_tool(w, (const char *const[]){"rm", "-rf", "--one-file-system", "--", path, NULL},
                     NULL);
}

static int sync_parent(const Swap *s) {
    _cleanup_close_ int fd = open(s->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fsync_directory(fd);
}

/* --- what a run has left -----------------------------------------------------------------------
 */

static int keep_former(const Swap *s, const char *path, char **ret_former) {
    char stamp[STAMP_SIZE];
    _cleanup_free_ char *former = NULL;

    stamp_format(now_usec(CLOCK_REALTIME), stamp);
    if (asprintf(&former, "%s/.%s" FORMER "%s", s->parent, s->name, stamp) < 0) {
        former = NULL;
        return -ENOMEM;
    }
    if (renameat2(AT_FDCWD, path, AT_FDCWD, former, RENAME_NOREPLACE) < 0)
        return -errno;
    if (ret_former)
        *ret_former = TAKE_PTR(former);
    return sync_parent(s);
}

static bool has_inode(const char *path, uint64_t inode) {
    struct stat st;

    return inode != 0 && lstat(path, &st) >= 0 && (uint64_t)st.st_ino == inode;
}

/* What was taken out of use is the directory itself, or something in it. */
static int find_former(const char *path, uint64_t inode, char **ret) {
    struct dirent *e;
    int r = -ENOENT;
    DIR *d;

    if (has_inode(path, inode)) {
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
    }
    d = opendir(path);
    if (!d)
        return -errno;
    while (r == -ENOENT && (e = readdir(d)))
        if (!streq(e->d_name, ".") && !streq(e->d_name, "..") && (uint64_t)e->d_ino == inode)
            r = asprintf(ret, "%s/%s", path, e->d_name) < 0 ? -ENOMEM : 0;
    (void)closedir(d);
    return r;
}

static int put_in_order(Work *w, const Swap *s, const char *name, uint64_t inode) {
    _cleanup_free_ char *path = NULL, *former = NULL;
    int r;

    if (asprintf(&path, "%s/%s", s->parent, name) < 0)
        return -ENOMEM;
    r = inode == 0 ? -ENOENT : find_former(path, inode, &former);
    if (r >= 0)
        r = keep_former(s, former, NULL);
    if (r < 0 && r != -ENOENT)
        return work_fail(w, "failed",
                         "%s, which a killed restore has left, cannot be put in order: %s", path,
                         strerror(-r));
    return access(path, F_OK) == 0 ? remove_tree(w, path) : 0;
}

/* Calls for each entry of the parent with that beginning; `rest` is what follows. */
static int visit(Work *w, const Swap *s, const char *middle,
                 int (*handler)(Work *w, const Swap *s, const char *name, const char *rest,
                                void *userdata),
                 void *userdata) {
    _cleanup_free_ char *beginning = NULL;
    struct dirent **list = NULL;
    int n, r = 0;

    if (asprintf(&beginning, ".%s%s", s->name, middle) < 0)
        return -ENOMEM;
    n = scandir(s->parent, &list, NULL, alphasort);
    if (n < 0)
        return errno == ENOENT ? 0 : work_fail(w, "failed", "%s cannot be read: %m", s->parent);
    for (int i = 0; i < n; i++) {
        if (r >= 0 && strncmp(list[i]->d_name, beginning, strlen(beginning)) == 0)
            r = handler(w, s, list[i]->d_name, list[i]->d_name + strlen(beginning), userdata);
        free(list[i]);
    }
    free(list);
    return r;
}

static int on_new(Work *w, const Swap *s, const char *name, const char *rest, void *userdata) {
    char *end;
    const uint64_t inode = strtoull(rest, &end, 10);

    return end > rest && !*end ? put_in_order(w, s, name, inode) : 0;
}

/* --- the swap ----------------------------------------------------------------------------------
 */

int swap_begin(Work *w, const char *live, Swap *ret) {
    struct stat st = {};

    TRY(split(live, ret));
    TRY(visit(w, ret, NEW, on_new, NULL));
    if (lstat(live, &st) < 0 && errno != ENOENT)
        return work_fail(w, "failed", "%s cannot be looked at: %m", live);
    if (asprintf(&ret->new, "%s/.%s" NEW "%" PRIu64, ret->parent, ret->name, (uint64_t)st.st_ino) <
        0) {
        ret->new = NULL;
        return -ENOMEM;
    }
    if (mkdir(ret->new, 0700) < 0)
        return work_fail(w, errno == ENOSPC ? "no-space-here" : "failed", "%s cannot be made: %m",
                         ret->new);
    return 0;
}

static int flush(const char *path) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

static int commit(Swap *s, const char *source, char **ret_former) {
    struct stat st;

    TRY(flush(s->new));
    if (lstat(s->live, &st) < 0)
        return renameat2(AT_FDCWD, source, AT_FDCWD, s->live, RENAME_NOREPLACE) < 0
                   ? -errno
                   : sync_parent(s);
    if (renameat2(AT_FDCWD, source, AT_FDCWD, s->live, RENAME_EXCHANGE) < 0)
        return -errno;
    TRY(sync_parent(s));
    return keep_former(s, source, ret_former);
}

int swap_commit(Work *w, Swap *s, const char *source, char **ret_former) {
    const int r = commit(s, source, ret_former);

    if (r < 0)
        return work_fail(w, "failed",
                         "What was restored cannot take the place of %s: %s. A mount point cannot "
                         "be replaced: restore into a directory below it",
                         s->live, strerror(-r));
    (void)rmdir(s->new); /* it is gone if it was the source */
    return 0;
}

void swap_abort(Work *w, Swap *s) {
    if (s->new &&access(s->new, F_OK) == 0)
        (void)visit(w, s, NEW, on_new, NULL);
}

static int on_former(Work *w, const Swap *s, const char *name, const char *rest, void *userdata) {
    _cleanup_free_ char *path = NULL;
    uint64_t time;

    if (!stamp_parse(rest, strlen(rest), &time))
        return 0;
    if (asprintf(&path, "%s/%s", s->parent, name) < 0)
        return -ENOMEM;
    TRY(remove_tree(w, path));
    ++*(size_t *)userdata;
    return 0;
}

int swap_remove_former(Work *w, const char *live, size_t *ret_n) {
    _cleanup_(swap_done) Swap s = {};

    *ret_n = 0;
    TRY(split(live, &s));
    TRY(visit(w, &s, NEW, on_new, NULL)); /* the former one may be among these */
    return visit(w, &s, FORMER, on_former, ret_n);
}
