/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/replace.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "dcm-service/mounts.h"
#include "unit/program.h"

#define NEW "new"
#define TREE "tree"
#define GONE "gone"
#define MARK_SIZE ((size_t)32)

static int set_names(Replacement *r, const Services *s, const char *id) {
    *r = (Replacement){.services = s, .id = id, .fd = -1};
    if (asprintf(&r->name, ".install-%s", id) < 0) {
        r->name = NULL;
        return -ENOMEM;
    }
    if (asprintf(&r->path, "%s/%s", s->path, r->name) < 0) {
        r->path = NULL;
        return -ENOMEM;
    }
    if (asprintf(&r->image, "%s/image", r->path) < 0) {
        r->image = NULL;
        return -ENOMEM;
    }
    if (asprintf(&r->new, "%s/" NEW, r->path) < 0) {
        r->new = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int make_kept_name(const Replacement *r, bool is_unfinished, char **ret) {
    char *name;

    if (asprintf(&name, "%s-%s", is_unfinished ? ".unfinished" : ".former", r->id) < 0)
        return -ENOMEM;
    *ret = name;
    return 0;
}

static uint64_t inode_at(int dir_fd, const char *name) {
    struct stat st;

    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_ino : 0;
}

/* Both directories, as a rename from one to the other is two changes. */
static int sync_both(const Replacement *r) {
    TRY(fsync_directory(r->fd));
    return fsync_directory(r->services->fd);
}

/* --- removing ------------------------------------------------------------------------------- */

/* An entry of the directory of services, or of .install-ID. */
static int remove_tree(const Services *s, const char *name) {
    _cleanup_(arguments_done) Arguments a = {};

    TRY(mounts_refuse(s, name));
    arguments_add(&a, "rm");
    arguments_add(&a, "-rf");
    arguments_add(&a, "--one-file-system");
    arguments_add(&a, "--");
    arguments_add(&a, "%s/%s", s->path, name);
    return program_call(&a) == 0 ? 0 : -EIO;
}

/* The same in .install-ID. */
static int remove_entry(const Replacement *r, const char *entry) {
    _cleanup_free_ char *name = NULL;

    if (inode_at(r->fd, entry) == 0)
        return 0;
    if (asprintf(&name, "%s/%s", r->name, entry) < 0) {
        name = NULL;
        return -ENOMEM;
    }
    return remove_tree(r->services, name);
}

/* --- the mark ------------------------------------------------------------------------------- */

typedef struct Mark {
    char name[MARK_SIZE];
    uint64_t inode; /* 0: there is none */
    bool is_again;
} Mark;

static bool parse_mark(const char *name, Mark *ret) {
    const bool is_again = strncmp(name, "again-", 6) == 0;
    const char *digits = strchr(name, '-');
    char *end = NULL;
    uint64_t inode;

    if ((!is_again && strncmp(name, "new-", 4) != 0) || strlen(name) >= MARK_SIZE)
        return false;
    inode = strtoull(digits + 1, &end, 10);
    if (inode == 0 || *end)
        return false;
    *ret = (Mark){.inode = inode, .is_again = is_again};
    memcpy(ret->name, name, strlen(name));
    return true;
}

static int find_mark(const Replacement *r, Mark *ret) {
    const int fd = openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;

    *ret = (Mark){};
    if (!d) {
        safe_close(fd);
        return -errno;
    }
    errno = 0;
    while (ret->inode == 0 && (e = readdir(d)))
        (void)parse_mark(e->d_name, ret);
    (void)closedir(d);
    return ret->inode == 0 ? -errno : 0;
}

/* There is one mark at any time: that of a killed request becomes this one's. */
static int set_mark(const Replacement *r, uint64_t inode) {
    _cleanup_close_ int fd = -1;
    char name[MARK_SIZE];
    Mark old;

    TRY(find_mark(r, &old));
    (void)snprintf(name, sizeof(name), "%s-%" PRIu64, r->is_unfinished ? "again" : "new", inode);
    if (old.inode != 0)
        return renameat(r->fd, old.name, r->fd, name) < 0 ? -errno : fsync_directory(r->fd);
    fd = openat(r->fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fsync_directory(r->fd);
}

/* Whether `tree` was in use: then nothing but a rename may be done to it. */
static bool has_former(const Replacement *r, const Mark *m) {
    const uint64_t inode = inode_at(r->fd, TREE);

    return m->inode != 0 && inode != 0 && inode != m->inode;
}

/* From here on, nothing tells that a request was at work. */
static int remove_mark(const Replacement *r) {
    Mark m;

    TRY(find_mark(r, &m));
    if (m.inode == 0)
        return 0;
    if (unlinkat(r->fd, m.name, 0) < 0)
        return -errno;
    return fsync_directory(r->fd);
}

/* --- keeping -------------------------------------------------------------------------------- */

static int push_aside(const Replacement *r, const char *kept) {
    if (inode_at(r->services->fd, kept) == 0)
        return 0;
    TRY(remove_entry(r, GONE));
    return renameat(r->services->fd, kept, r->fd, GONE) < 0 ? -errno : sync_both(r);
}

/* `tree` is what was in use. */
static int keep(const Replacement *r, bool is_unfinished) {
    _cleanup_free_ char *kept = NULL;
    int k;

    TRY(make_kept_name(r, is_unfinished, &kept));
    k = push_aside(r, kept);
    if (k >= 0 && renameat2(r->fd, TREE, r->services->fd, kept, RENAME_NOREPLACE) < 0)
        k = -errno;
    if (k >= 0)
        k = sync_both(r);
    return k < 0 ? log_error_errno(k, "%s/" TREE " was in use, and cannot be kept as %s/%s: %m",
                                   r->path, r->services->path, kept)
                 : 0;
}

/* --- what is left --------------------------------------------------------------------------- */

/* What a killed request has left in .install-ID. */
static int settle(Replacement *r) {
    Mark m;
    int k;

    k = find_mark(r, &m);
    if (k < 0)
        return log_error_errno(k, "%s cannot be read: %m", r->path);
    if (has_former(r, &m))
        TRY(keep(r, m.is_again));
    r->is_unfinished = m.inode != 0 && (m.is_again || inode_at(r->services->fd, r->id) == m.inode);
    return 0;
}

/* Everything but the mark, and what was in use. */
static int clear(const Replacement *r) {
    Mark m;

    TRY(find_mark(r, &m));
    TRY(remove_entry(r, "image"));
    TRY(remove_entry(r, NEW));
    TRY(remove_entry(r, GONE));
    return has_former(r, &m) ? -EEXIST : remove_entry(r, TREE);
}

/* --- all of it ------------------------------------------------------------------------------ */

static int refuse_mounts(const Replacement *r) {
    _cleanup_free_ char *former = NULL, *unfinished = NULL;

    TRY(make_kept_name(r, false, &former));
    TRY(make_kept_name(r, true, &unfinished));
    TRY(mounts_refuse(r->services, r->id));
    TRY(mounts_refuse(r->services, r->name));
    TRY(mounts_refuse(r->services, former));
    return mounts_refuse(r->services, unfinished);
}

static int take_over(Replacement *r) {
    if (mkdirat(r->services->fd, r->name, 0700) < 0 && errno != EEXIST)
        return log_error_errno(errno, "%s cannot be made: %m", r->path);
    r->fd = openat(r->services->fd, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (r->fd < 0 || fchmod(r->fd, 0700) < 0)
        return log_error_errno(errno, "%s cannot be opened: %m", r->path);
    TRY(settle(r));
    TRY(clear(r));
    return r->is_unfinished ? 0 : remove_mark(r);
}

int replacement_begin(const Services *s, const char *id, Replacement *ret) {
    Replacement r;
    int k;

    k = set_names(&r, s, id);
    if (k >= 0)
        k = refuse_mounts(&r);
    if (k >= 0)
        k = take_over(&r);
    *ret = r; /* replacement_done() frees it in any case */
    return k;
}

/* Everybody may read and enter, but nobody gets here: .install-ID is root's. So who unpacks into it
 * need not be able to read what belongs to others. */
int replacement_make_new(Replacement *r, uid_t uid, gid_t gid) {
    if (mkdirat(r->fd, NEW, 0755) < 0 || fchownat(r->fd, NEW, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return log_error_errno(errno, "%s cannot be made: %m", r->new);
    return 0;
}

/* 1: something was in use, and is `tree` now. */
static int change_places(Replacement *r) {
    const bool is_first = inode_at(r->services->fd, r->id) == 0;
    const unsigned flags = is_first ? RENAME_NOREPLACE : RENAME_EXCHANGE;

    TRY(set_mark(r, inode_at(r->fd, NEW)));
    if (renameat2(r->fd, NEW, r->fd, TREE, RENAME_NOREPLACE) < 0)
        return -errno;
    TRY(fsync_directory(r->fd));
    if (renameat2(r->fd, TREE, r->services->fd, r->id, flags) < 0)
        return -errno;
    r->is_in_use = true;
    TRY(sync_both(r));
    return !is_first;
}

int replacement_commit(Replacement *r) {
    int k;

    TRY(mounts_refuse(r->services, r->id));
    k = change_places(r);
    if (k < 0)
        return log_error_errno(k, "The new directory cannot take the place of %s/%s: %m",
                               r->services->path, r->id);
    return k > 0 ? keep(r, r->is_unfinished) : 0;
}

static void remove_unfinished(const Replacement *r) {
    _cleanup_free_ char *name = NULL;

    if (make_kept_name(r, true, &name) >= 0 && inode_at(r->services->fd, name) != 0)
        (void)remove_tree(r->services, name);
}

void replacement_finish(Replacement *r) {
    const int k = remove_mark(r);

    r->is_finished = k >= 0;
    if (k < 0)
        (void)log_error_errno(k, "What %s has of this request cannot be removed: %m", r->path);
    else if (!r->is_unfinished)
        remove_unfinished(r);
}

/* The next request has to know that what is in use is of one that was not finished. */
static bool needs_mark(const Replacement *r) {
    return r->is_in_use ? !r->is_finished : r->is_unfinished;
}

void replacement_done(Replacement *r) {
    if (r->fd >= 0) {
        if (clear(r) >= 0 && !needs_mark(r) && remove_mark(r) >= 0)
            (void)unlinkat(r->services->fd, r->name, AT_REMOVEDIR);
        safe_close(r->fd);
    }
    free(r->name);
    free(r->path);
    free(r->image);
    free(r->new);
    *r = REPLACEMENT_INIT;
}
