/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/swap.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/sha256.h"
#include "basic/time-util.h"
#include "dcm-backup/lock-file.h"
#include "dcm-backup/safe-path.h"

#define NEW ".dcm-new-"
#define FORMER ".dcm-former-"
#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void swap_done(Swap *s) {
    free(s->live);
    free(s->parent);
    free(s->name);
    free(s->new_name);
    safe_close(s->parent_fd);
    safe_close(s->new_fd);
    safe_close(s->lock_fd);
    *s = SWAP_EMPTY;
}

static int split(const char *live, Swap *s) {
    const char *slash = strrchr(live, '/');

    s->live = strdup(live);
    s->parent = slash == live ? strdup("/") : strndup(live, (size_t)(slash - live));
    s->name = strdup(slash + 1);
    return s->live && s->parent && s->name ? 0 : -ENOMEM;
}

static int open_parent(Work *w, Swap *s) {
    const int r = safe_open_directory(s->parent, &s->parent_fd);

    if (r == -EXDEV)
        return work_fail_link(w, s->live);
    return r < 0 ? work_fail(w, r == -ENOENT ? "no-such-path" : "failed", "%s cannot be opened: %s",
                             s->parent, strerror(-r))
                 : 0;
}

/* By whatever path, and by whatever command it is replaced. */
static int lock_target(Work *w, Swap *s) {
    char text[64 + NAME_MAX], hash[SHA256_HEX_SIZE], name[16 + SHA256_HEX_SIZE];
    struct stat st;
    int r;

    if (fstat(s->parent_fd, &st) < 0)
        return -errno;
    (void)snprintf(text, sizeof(text), "%ju-%ju-%s", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
                   s->name);
    sha256_hex(text, strlen(text), hash);
    (void)snprintf(name, sizeof(name), "target-%s", hash);
    r = lock_file_take(name, 0, &s->lock_fd);
    if (r == -EBUSY)
        return work_fail(w, "busy", "Another restore of %s is running; try again when it has ended",
                         s->live);
    return r < 0 ? work_fail(w, "failed", "%s cannot be locked: %s", s->live, strerror(-r)) : 0;
}

static int swap_open(Work *w, const char *live, Swap *s) {
    *s = SWAP_EMPTY;
    TRY(split(live, s));
    if (strlen(s->name) + strlen(FORMER) + 1 + STAMP_SIZE > NAME_MAX)
        return work_fail(w, "bad-argument", "The name of %s is too long", live);
    TRY(open_parent(w, s));
    return lock_target(w, s);
}

static int remove_tree(Work *w, const Swap *s, const char *name) {
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "./%s", name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return work_tool_at(w, s->parent_fd,
                        (const char *const[]){"rm", "-rf", "--one-file-system", "--", path, NULL});
}

/* --- what a run has left -----------------------------------------------------------------------
 */

static int keep_former(const Swap *s, int dir_fd, const char *name, char **ret_former) {
    char stamp[STAMP_SIZE];
    _cleanup_free_ char *former = NULL;

    stamp_format(now_usec(CLOCK_REALTIME), stamp);
    if (asprintf(&former, ".%s" FORMER "%s", s->name, stamp) < 0) {
        former = NULL;
        return -ENOMEM;
    }
    if (renameat2(dir_fd, name, s->parent_fd, former, RENAME_NOREPLACE) < 0)
        return -errno;
    if (ret_former && asprintf(ret_former, "%s/%s", s->parent, former) < 0) {
        *ret_former = NULL;
        return -ENOMEM;
    }
    return fsync_directory(s->parent_fd);
}

static bool has_inode(int dir_fd, const char *name, uint64_t inode) {
    struct stat st;

    return inode != 0 && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
           (uint64_t)st.st_ino == inode;
}

/* 1: it was among what the directory has, and is kept now. */
static int keep_within(const Swap *s, int dir_fd, uint64_t inode) {
    const int fd = openat(dir_fd, ".", DIRECTORY);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    int r = 0;

    if (!d) {
        safe_close(fd);
        return -errno;
    }
    while (r == 0 && (e = readdir(d)))
        if (!streq(e->d_name, ".") && !streq(e->d_name, "..") && (uint64_t)e->d_ino == inode)
            r = keep_former(s, dir_fd, e->d_name, NULL) ?: 1;
    (void)closedir(d);
    return r;
}

/* What was taken out of use is the directory itself, or something in it. */
static int save_former(const Swap *s, const char *name, uint64_t inode) {
    _cleanup_close_ int fd = -1;

    if (inode == 0)
        return 0;
    if (has_inode(s->parent_fd, name, inode))
        return keep_former(s, s->parent_fd, name, NULL);
    fd = openat(s->parent_fd, name, DIRECTORY);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
    return keep_within(s, fd, inode);
}

static int put_in_order(Work *w, const Swap *s, const char *name, uint64_t inode) {
    const int r = save_former(s, name, inode);

    if (r < 0)
        return work_fail(w, "failed",
                         "%s/%s, which a killed restore has left, cannot be put in order: %s",
                         s->parent, name, strerror(-r));
    return faccessat(s->parent_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? remove_tree(w, s, name)
                                                                         : 0;
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
    n = scandirat(s->parent_fd, ".", &list, NULL, alphasort);
    if (n < 0)
        return work_fail(w, "failed", "%s cannot be read: %m", s->parent);
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

/* --- the beginning -----------------------------------------------------------------------------
 */

static int check_mount(Work *w, const Swap *s, struct stat *ret) {
    struct statx x = {};

    *ret = (struct stat){};
    if (fstatat(s->parent_fd, s->name, ret, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : work_fail(w, "failed", "%s cannot be looked at: %m", s->live);
    if (statx(s->parent_fd, s->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &x) < 0 ||
        !(x.stx_attributes & x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
        return 0;
    return work_fail(w, "bad-argument",
                     "%s is a mount point, which cannot be replaced: restore into a directory "
                     "below it",
                     s->live);
}

static int make_new(Work *w, Swap *s, uint64_t inode) {
    if (asprintf(&s->new_name, ".%s" NEW "%" PRIu64, s->name, inode) < 0) {
        s->new_name = NULL;
        return -ENOMEM;
    }
    if (mkdirat(s->parent_fd, s->new_name, 0700) < 0)
        return work_fail(w, errno == ENOSPC ? "no-space-here" : "failed",
                         "%s/%s cannot be made: %m", s->parent, s->new_name);
    s->new_fd = openat(s->parent_fd, s->new_name, DIRECTORY);
    return s->new_fd < 0
               ? work_fail(w, "failed", "%s/%s cannot be opened: %m", s->parent, s->new_name)
               : 0;
}

/* Better now than when all has come. */
static int try_exchange(Work *w, const Swap *s) {
    int r = 0;

    if (mkdirat(s->new_fd, "one", 0700) < 0 || mkdirat(s->new_fd, "two", 0700) < 0 ||
        renameat2(s->new_fd, "one", s->new_fd, "two", RENAME_EXCHANGE) < 0)
        r = -errno;
    (void)unlinkat(s->new_fd, "one", AT_REMOVEDIR);
    (void)unlinkat(s->new_fd, "two", AT_REMOVEDIR);
    return r < 0
               ? work_fail(w, "unsupported",
                           "The file system of %s cannot exchange two directories in one step: %s",
                           s->parent, strerror(-r))
               : 0;
}

int swap_begin(Work *w, const char *live, Swap *ret) {
    struct stat st;

    TRY(swap_open(w, live, ret));
    TRY(visit(w, ret, NEW, on_new, NULL));
    TRY(check_mount(w, ret, &st));
    TRY(make_new(w, ret, st.st_ino));
    return try_exchange(w, ret);
}

int swap_copy_owner(Work *w, const Swap *s) {
    struct stat st;

    if (fstatat(s->parent_fd, s->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        st = (struct stat){.st_mode = 0755};
    if (fchown(s->new_fd, st.st_uid, st.st_gid) < 0 || fchmod(s->new_fd, st.st_mode & 07777) < 0)
        return work_fail(w, "failed", "%s/%s cannot be changed: %m", s->parent, s->new_name);
    return 0;
}

/* --- the step ----------------------------------------------------------------------------------
 */

static bool is_same(int dir_fd, const char *name, const struct stat *a) {
    struct stat b;

    return fstatat(dir_fd, name, &b, AT_SYMLINK_NOFOLLOW) >= 0 && a->st_dev == b.st_dev &&
           a->st_ino == b.st_ino;
}

/* 1: it was done, and what was in use is in the place of the source. */
static int exchange(const Swap *s, int dir_fd, const char *source) {
    struct stat st, was;

    if (syncfs(s->new_fd) < 0 || fstat(s->new_fd, &st) < 0)
        return -errno;
    if (dir_fd == s->parent_fd && !is_same(dir_fd, source, &st))
        return -ESTALE;
    if (fstatat(s->parent_fd, s->name, &was, AT_SYMLINK_NOFOLLOW) < 0)
        return renameat2(dir_fd, source, s->parent_fd, s->name, RENAME_NOREPLACE) < 0 ? -errno : 0;
    return renameat2(dir_fd, source, s->parent_fd, s->name, RENAME_EXCHANGE) < 0 ? -errno : 1;
}

static int keep(Work *w, const Swap *s, int dir_fd, const char *source, char **ret_former) {
    const int r = keep_former(s, dir_fd, source, ret_former);

    return r < 0 ? work_fail(w, "failed",
                             "%s is restored, but what was there before cannot be kept beside it, "
                             "or is not on the disk yet: %s; it is %s/%s or in it",
                             s->live, strerror(-r), s->parent, s->new_name)
                 : 0;
}

int swap_commit(Work *w, Swap *s, const char *source, char **ret_former) {
    const int dir_fd = source ? s->new_fd : s->parent_fd;
    const char *name = source ?: s->new_name;
    const int r = exchange(s, dir_fd, name);

    if (r < 0)
        return work_fail(w, "failed", "What was restored cannot take the place of %s: %s", s->live,
                         r == -ESTALE ? "somebody has moved it meanwhile" : strerror(-r));
    if (r > 0)
        TRY(keep(w, s, dir_fd, name, ret_former));
    else if (fsync_directory(s->parent_fd) < 0)
        return work_fail(w, "failed", "%s is restored, but may not be on the disk yet", s->live);
    if (source)
        (void)unlinkat(s->parent_fd, s->new_name, AT_REMOVEDIR);
    return 0;
}

void swap_abort(Work *w, Swap *s) {
    if (s->new_name && s->parent_fd >= 0)
        (void)visit(w, s, NEW, on_new, NULL);
}

static int on_former(Work *w, const Swap *s, const char *name, const char *rest, void *userdata) {
    uint64_t time;

    if (!stamp_parse(rest, strlen(rest), &time))
        return 0;
    TRY(remove_tree(w, s, name));
    ++*(size_t *)userdata;
    return 0;
}

int swap_remove_former(Work *w, const char *live, size_t *ret_n) {
    _cleanup_(swap_done) Swap s = SWAP_EMPTY;

    *ret_n = 0;
    TRY(swap_open(w, live, &s));
    TRY(visit(w, &s, NEW, on_new, NULL)); /* the former one may be among these */
    return visit(w, &s, FORMER, on_former, ret_n);
}
