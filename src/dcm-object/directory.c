/* SPDX-License-Identifier: Apache-2.0 */
/* A local or mounted directory as a place, without rclone: objects are regular files below it. No
 * link leads out of it. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/utf8.h"
#include "dcm-object/store.h"

#define PIECE ((size_t)64 * 1024)
#define DEPTH_MAX 64u

static FailureCode code_of(int error) {
    switch (error) {
    case -ENOSPC:
    case -EDQUOT:
        return FAILURE_NO_SPACE_THERE;
    case -EACCES:
    case -EPERM:
    case -EROFS:
        return FAILURE_FORBIDDEN;
    case -ENOENT:
    case -ENOTDIR:
    case -EISDIR:
        return FAILURE_NO_OBJECT;
    case -ETIMEDOUT:
        return FAILURE_TIMEOUT;
    default:
        return FAILURE_OTHER;
    }
}

static int fail(const Store *s, int error, const char *what, const char *name, Failure *f) {
    return failure_set(f, code_of(error), "%s %.*s in %.*s failed: %s", what, UTF8_SHORT(name, 200),
                       UTF8_SHORT(s->place->bucket, 100), strerror(-error));
}

static int open_root(const Store *s, Failure *f) {
    int fd = open(s->place->bucket, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (errno == ENOENT || errno == ENOTDIR)
        return failure_set(f, FAILURE_NO_BUCKET, "There is no directory %.*s",
                           UTF8_SHORT(s->place->bucket, 100));
    return fail(s, -errno, "Opening", "objects", f);
}

static int open_below(int root, const char *name, int flags) {
    const struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOCTTY),
                                 .mode = flags & O_CREAT ? 0600 : 0,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    const long fd = syscall(SYS_openat2, root, name, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/* Opens the directory in which the object is; *ret_last is its name there. */
static int open_parent(int root, const char *name, const char **ret_last) {
    const char *slash = strrchr(name, '/');
    _cleanup_free_ char *folder = slash ? strndup(name, (size_t)(slash - name)) : strdup(".");

    if (!folder)
        return -ENOMEM;
    *ret_last = slash ? slash + 1 : name;
    return open_below(root, folder, O_RDONLY | O_DIRECTORY);
}

static int make_parents(int root, const char *name) {
    for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
        _cleanup_free_ char *folder = strndup(name, (size_t)(p - name));
        _cleanup_close_ int parent = -1;
        const char *last;

        if (!folder)
            return -ENOMEM;
        parent = open_parent(root, folder, &last);
        if (parent < 0)
            return parent;
        if (mkdirat(parent, last, 0700) == 0)
            TRY(fsync_directory(parent));
        else if (errno != EEXIST)
            return -errno;
    }
    return 0;
}

static int find_bucket(Store *s, bool *ret_is_there, Failure *f) {
    _cleanup_close_ int root = open_root(s, f);

    if (root < 0 && f->code != FAILURE_NO_BUCKET)
        return root;
    *ret_is_there = root >= 0;
    return 0;
}

static int make_bucket(Store *s, Failure *f) {
    const char *path = s->place->bucket;

    return mkdir(path, 0700) < 0 && errno != EEXIST ? fail(s, -errno, "Making", "the directory", f)
                                                    : 0;
}

static int open_regular(int root, const char *name, struct stat *ret) {
    _cleanup_close_ int fd = open_below(root, name, O_RDONLY | O_NONBLOCK);

    if (fd < 0)
        return fd;
    if (fstat(fd, ret) < 0)
        return -errno;
    return S_ISREG(ret->st_mode) ? TAKE_FD(fd) : -EISDIR;
}

static void describe(const struct stat *st, ObjectInfo *ret) {
    struct tm tm;

    *ret = (ObjectInfo){.size = (uint64_t)st->st_size};
    if (gmtime_r(&st->st_mtime, &tm))
        (void)strftime(ret->modified, sizeof(ret->modified), "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int head(Store *s, const char *name, ObjectInfo *ret, Failure *f) {
    _cleanup_close_ int root = open_root(s, f), fd = -1;
    struct stat st;

    if (root < 0)
        return root;
    fd = open_regular(root, name, &st);
    if (fd < 0)
        return fail(s, fd, "Looking for", name, f);
    describe(&st, ret);
    return 0;
}

/* 1: there was a piece; 0: the end; -ECANCELED: the handler, or reading. */
static int copy_piece(const RunSpec *from, int to, char *data, RunResult *ret) {
    ssize_t n = read(from->input_fd, data, PIECE);

    if (n < 0 && errno == EINTR)
        return 1;
    ret->error = n < 0            ? -errno
                 : from->on_input ? from->on_input(from->userdata, data, (size_t)n)
                                  : 0;
    if (ret->error < 0)
        return -ECANCELED;
    if (n == 0)
        return 0;
    TRY(write_full(to, data, (size_t)n));
    return 1;
}

static int copy_in(const RunSpec *from, int to, RunResult *ret) {
    char data[PIECE];
    int r;

    do
        r = copy_piece(from, to, data, ret);
    while (r > 0);
    return r < 0 ? r : fsync(to) < 0 ? -errno : 0;
}

static int write_object(Store *s, const char *name, const RunSpec *from, RunResult *ret,
                        Failure *f) {
    _cleanup_close_ int root = open_root(s, f), fd = -1;
    int r;

    *ret = (RunResult){};
    if (root < 0)
        return root;
    r = make_parents(root, name);
    if (r >= 0)
        r = fd = open_below(root, name, O_WRONLY | O_CREAT | O_EXCL);
    if (r >= 0)
        r = copy_in(from, fd, ret);
    return r == -ECANCELED ? r : r < 0 ? fail(s, r, "Writing", name, f) : 0;
}

static int copy_out(int fd, const RunSpec *to, RunResult *ret) {
    char data[PIECE];
    ssize_t n;

    while ((n = read(fd, data, sizeof(data))) > 0) {
        ret->error = to->on_output(to->userdata, data, (size_t)n);
        if (ret->error < 0)
            return -ECANCELED;
    }
    return n < 0 ? -errno : 0;
}

static int read_object(Store *s, const char *name, uint64_t offset, const RunSpec *to,
                       RunResult *ret, Failure *f) {
    _cleanup_close_ int root = open_root(s, f), fd = -1;
    struct stat st;
    int r;

    *ret = (RunResult){};
    if (root < 0)
        return root;
    r = fd = open_regular(root, name, &st);
    if (r >= 0 && lseek(fd, (off_t)offset, SEEK_SET) < 0)
        r = -errno;
    if (r >= 0)
        r = copy_out(fd, to, ret);
    return r == -ECANCELED ? r : r < 0 ? fail(s, r, "Reading", name, f) : 0;
}

static int rename_below(int root, const char *from, const char *to) {
    _cleanup_close_ int from_fd = -1, to_fd = -1;
    const char *from_last, *to_last;

    from_fd = open_parent(root, from, &from_last);
    if (from_fd < 0)
        return from_fd;
    to_fd = open_parent(root, to, &to_last);
    if (to_fd < 0)
        return to_fd;
    if (renameat(from_fd, from_last, to_fd, to_last) < 0)
        return -errno;
    return fsync_directory(to_fd);
}

static int move(Store *s, const char *from, const char *to, Failure *f) {
    _cleanup_close_ int root = open_root(s, f);
    int r;

    if (root < 0)
        return root;
    r = rename_below(root, from, to);
    return r < 0 ? fail(s, r, "Renaming", from, f) : 0;
}

static int remove_below(int root, const char *name) {
    _cleanup_close_ int parent = -1;
    const char *last;

    parent = open_parent(root, name, &last);
    if (parent < 0)
        return parent;
    if (unlinkat(parent, last, 0) < 0)
        return -errno;
    return fsync_directory(parent);
}

static int remove_object(Store *s, const char *name, Failure *f) {
    _cleanup_close_ int root = open_root(s, f);
    int r;

    if (root < 0)
        return root;
    r = remove_below(root, name);
    return r < 0 ? fail(s, r, "Deleting", name, f) : 0;
}

/* --- lists ---------------------------------------------------------------------------------------
 */

typedef struct Walk {
    const char *prefix;
    ObjectHandler handler;
    void *userdata;
    unsigned depth;
} Walk;

static int walk(Walk *w, int parent, const char *name, const char *path);

static void close_directory(DIR **d) {
    if (*d)
        (void)closedir(*d);
}

/* Whether anything below the folder can begin with the prefix. */
static bool may_match(const Walk *w, const char *folder) {
    const size_t size = MIN(strlen(folder), strlen(w->prefix));

    return strncmp(folder, w->prefix, size) == 0;
}

static int visit(Walk *w, int directory, const char *name, const char *folder) {
    _cleanup_free_ char *path = NULL;
    ObjectInfo info;
    struct stat st;

    if (streq(name, ".") || streq(name, ".."))
        return 0;
    if (asprintf(&path, "%s%s", folder, name) < 0)
        return -ENOMEM;
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISDIR(st.st_mode))
        return may_match(w, path) ? walk(w, directory, name, path) : 0;
    if (!S_ISREG(st.st_mode) || strncmp(path, w->prefix, strlen(w->prefix)) != 0)
        return 0;
    describe(&st, &info);
    return w->handler(w->userdata, path, &info);
}

static int visit_all(Walk *w, DIR *d, const char *folder) {
    const struct dirent *e;

    while ((errno = 0, e = readdir(d)))
        TRY(visit(w, dirfd(d), e->d_name, folder));
    return -errno;
}

/* `path` is the folder's, "" for the root. */
static int walk(Walk *w, int parent, const char *name, const char *path) {
    _cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_(close_directory) DIR *d = NULL;
    _cleanup_free_ char *folder = NULL;
    int r;

    if (fd < 0)
        return -errno;
    if (w->depth >= DEPTH_MAX)
        return -ELOOP;
    if (asprintf(&folder, "%s%s", path, *path ? "/" : "") < 0)
        return -ENOMEM;
    d = fdopendir(fd);
    if (!d)
        return -errno;
    (void)TAKE_FD(fd);
    w->depth++;
    r = visit_all(w, d, folder);
    w->depth--;
    return r;
}

static int list(Store *s, const char *prefix, ObjectHandler handler, void *userdata, Failure *f) {
    _cleanup_close_ int root = open_root(s, f);
    Walk w = {.prefix = prefix, .handler = handler, .userdata = userdata};
    int r;

    if (root < 0)
        return root;
    r = walk(&w, root, ".", "");
    if (r == -ENOBUFS)
        return failure_set(f, FAILURE_OTHER,
                           "There are more than %u objects; ask for those with a longer prefix",
                           OBJECTS_LISTED_MAX);
    return r < 0 ? fail(s, r, "Listing", "the directory", f) : 0;
}

const StoreOperations directory_operations = {
    .find_bucket = find_bucket,
    .make_bucket = make_bucket,
    .head = head,
    .write = write_object,
    .read = read_object,
    .move = move,
    .list = list,
    .remove = remove_object,
};
