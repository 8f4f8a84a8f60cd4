/* SPDX-License-Identifier: Apache-2.0 */
/* get: look at the object first, read it, go on where it was cut off, compare size and hash, and
 * only then give it its name. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-object/transfer.h"

typedef struct Target {
    int directory_fd, fd;
    const char *name;         /* of the file, in its directory; NULL: standard output */
    char other[NAME_MAX + 1]; /* its name until it is complete; "": it has none yet */
} Target;

typedef struct Getter {
    Transfer *transfer;
    Target *target;
    ObjectInfo info;
    Digest digest;
} Getter;

static void target_done(Target *t) {
    if (t->other[0])
        (void)unlinkat(t->directory_fd, t->other, 0);
    safe_close(t->directory_fd);
    if (t->name)
        safe_close(t->fd);
}

static int fail_here(int error, const char *what, const char *file, Failure *f) {
    const bool is_full = error == -ENOSPC || error == -EDQUOT || error == -EFBIG;

    return failure_set(f, is_full ? FAILURE_NO_SPACE_HERE : FAILURE_OTHER,
                       "The file %.*s cannot be %s: %s", UTF8_SHORT(file, 200), what,
                       strerror(-error));
}

/* The file's name, shortened by whole characters, with something random. */
static int choose_other(Target *t) {
    uint32_t number;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return -EIO;
    (void)utf8_format(t->other, sizeof(t->other), ".%.*s.dcm-%08x", UTF8_SHORT(t->name, 200),
                      number);
    return 0;
}

/* A file without a name disappears with this process. Where there are none it has another name. */
static int open_new(Target *t) {
    t->fd = openat(t->directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (t->fd >= 0)
        return 0;
    TRY(choose_other(t));
    t->fd = openat(t->directory_fd, t->other, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (t->fd < 0)
        t->other[0] = 0;
    return t->fd < 0 ? -errno : 0;
}

static int open_target(Target *t, const char *file) {
    const char *slash = strrchr(file, '/');
    _cleanup_free_ char *folder = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");

    if (!folder)
        return -ENOMEM;
    t->name = slash ? slash + 1 : file;
    if (!*t->name)
        return -EISDIR;
    t->directory_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return t->directory_fd < 0 ? -errno : open_new(t);
}

static int link_new(Target *t) {
    char path[64];

    if (t->other[0])
        return 0;
    TRY(choose_other(t));
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
    if (linkat(AT_FDCWD, path, t->directory_fd, t->other, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    t->other[0] = 0;
    return -errno;
}

static int commit(Target *t) {
    if (!t->name)
        return 0;
    if (fsync(t->fd) < 0)
        return -errno;
    TRY(link_new(t));
    if (renameat(t->directory_fd, t->other, t->directory_fd, t->name) < 0)
        return -errno;
    t->other[0] = 0;
    return fsync_directory(t->directory_fd);
}

static int on_data(void *userdata, const void *data, size_t size) {
    Getter *g = userdata;

    if (size > g->info.size - g->digest.size)
        return -EOVERFLOW;
    TRY(write_full(g->target->fd, data, size));
    digest_update(&g->digest, data, size);
    progress_add(&g->transfer->progress, size);
    return 0;
}

static int changed(const Transfer *t, Failure *f) {
    return failure_set(f, FAILURE_DAMAGED, "The object %.*s changed while it was read",
                       UTF8_SHORT(t->name, 200));
}

/* Whether the rest is that of the same object. */
static int check_same(Getter *g, Failure *f) {
    Store *s = g->transfer->store;
    ObjectInfo now;

    TRY(s->operations->head(s, g->transfer->name, &now, f));
    if (now.size != g->info.size || !streq(now.modified, g->info.modified) ||
        !streq(now.md5, g->info.md5))
        return changed(g->transfer, f);
    return 0;
}

static int handler_failed(const Getter *g, int error, Failure *f) {
    if (error == -EOVERFLOW)
        return changed(g->transfer, f);
    return fail_here(error, "written", g->transfer->file, f);
}

/* One attempt, from where the last one ended. */
static int read_on(Getter *g, Failure *f) {
    const Transfer *t = g->transfer;
    const RunSpec spec = {.input_fd = -1, .on_output = on_data, .userdata = g};
    Store *s = t->store;
    RunResult result;
    int r;

    r = s->operations->read(s, t->name, g->digest.size, &spec, &result, f);
    if (r == -ECANCELED)
        return handler_failed(g, result.error, f);
    if (g->digest.size == g->info.size)
        return 0;
    if (r < 0)
        return r;
    return failure_set(f, FAILURE_CUT_OFF, "The object %.*s ended after %llu of %llu bytes",
                       UTF8_SHORT(t->name, 200), (unsigned long long)g->digest.size,
                       (unsigned long long)g->info.size);
}

static int read_all(Getter *g, Failure *f) {
    Transfer *t = g->transfer;
    unsigned without_progress = 0;
    int r;

    for (;;) {
        const uint64_t before = g->digest.size;

        r = read_on(g, f);
        if (r >= 0)
            return 0;
        without_progress = g->digest.size > before ? 0 : without_progress + 1;
        if (!failure_may_pass(f->code) || without_progress >= OBJECT_TRIES_MAX ||
            now_usec(CLOCK_BOOTTIME) >= t->store->session.deadline_usec)
            return r;
        /* what fails here would hide why the transfer has failed */
        Failure other;
        if (check_same(g, &other) < 0) {
            if (other.code == FAILURE_DAMAGED || other.code == FAILURE_NO_OBJECT)
                *f = other;
            return -EIO;
        }
        t->resumed++;
    }
}

static int check(const Getter *g, Failure *f) {
    const Transfer *t = g->transfer;
    const DigestResult *d = &t->digest;

    if (t->sha256 && strcasecmp(t->sha256, d->sha256) != 0)
        return failure_set(f, FAILURE_DAMAGED,
                           "The object %.*s has another SHA-256 than it must have: %s",
                           UTF8_SHORT(t->name, 200), d->sha256);
    if (*g->info.md5 && *d->md5 && strcasecmp(g->info.md5, d->md5) != 0)
        return failure_set(f, FAILURE_DAMAGED,
                           "What was read of the object %.*s is not what the storage says it has",
                           UTF8_SHORT(t->name, 200));
    return 0;
}

static int get(Getter *g, Failure *f) {
    Transfer *t = g->transfer;
    int r;

    if (digest_init(&g->digest) < 0)
        return failure_set(f, FAILURE_OTHER, "No memory");
    r = read_all(g, f);
    if (r >= 0) {
        digest_final(&g->digest, &t->digest);
        r = check(g, f);
    }
    digest_done(&g->digest);
    return r;
}

int transfer_get(Transfer *t, Failure *f) {
    _cleanup_(target_done) Target target = {.directory_fd = -1, .fd = STDOUT_FILENO};
    Getter g = {.transfer = t, .target = &target};
    int r = 0;

    TRY(t->store->operations->head(t->store, t->name, &g.info, f));
    if (g.info.size == UINT64_MAX)
        return failure_set(f, FAILURE_UNSUPPORTED, "The storage does not say the object's size");
    t->progress.total = g.info.size;
    if (!streq(t->file, "-"))
        r = open_target(&target, t->file);
    if (r < 0)
        return fail_here(r, "created", t->file, f);
    TRY(get(&g, f));
    r = commit(&target);
    return r < 0 ? fail_here(r, "kept", t->file, f) : 0;
}
