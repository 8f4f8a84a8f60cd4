/* SPDX-License-Identifier: Apache-2.0 */
/* put: look for the bucket first, hash what is written, and read it back. Where a partial object
 * would be seen under its name it gets the name at the end. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-object/transfer.h"

#define TRIES_MAX 3u

typedef struct Putter {
    Transfer *transfer;
    int fd;
    bool is_file;  /* it can be read again */
    uint64_t size; /* SIZE_UNKNOWN */
    Digest digest;
    char *name; /* under which it is written */
} Putter;

static void putter_done(Putter *p) {
    if (p->fd != STDIN_FILENO)
        safe_close(p->fd);
    digest_done(&p->digest);
    free(p->name);
}

/* Reading back is the second half. */
static void set_total(Putter *p, uint64_t size) {
    p->transfer->progress.total = p->transfer->no_read_back ? size : 2 * size;
}

static int open_source(Putter *p, Failure *f) {
    const char *file = p->transfer->file;
    struct stat st;

    p->fd = streq(file, "-") ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (p->fd < 0 || fstat(p->fd, &st) < 0)
        return failure_set(f, FAILURE_OTHER, "The file %.*s cannot be read: %s",
                           UTF8_SHORT(file, 200), strerror(errno));
    if (S_ISDIR(st.st_mode))
        return failure_set(f, FAILURE_USAGE, "%.*s is a directory", UTF8_SHORT(file, 200));
    p->is_file = S_ISREG(st.st_mode) && p->fd != STDIN_FILENO;
    p->size = p->is_file ? (uint64_t)st.st_size : p->transfer->size;
    if (p->size != SIZE_UNKNOWN)
        set_total(p, p->size);
    return 0;
}

/* a/b becomes a/.b.dcm-0123abcd */
static int choose_name(Putter *p, Failure *f) {
    const char *name = p->transfer->name, *slash = strrchr(name, '/');
    const size_t folder = slash ? (size_t)(slash - name) + 1 : 0;
    uint32_t number;
    int n;

    if (!p->transfer->store->writes_in_place)
        n = asprintf(&p->name, "%s", name);
    else if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        n = -1;
    else
        n = asprintf(&p->name, "%.*s.%.*s.dcm-%08x", (int)folder, name,
                     UTF8_SHORT(name + folder, 200), number);
    if (n >= 0)
        return 0;
    p->name = NULL;
    return failure_set(f, FAILURE_OTHER, "No memory");
}

static int ensure_bucket(Transfer *t, Failure *f) {
    const char *bucket = t->store->place->bucket;
    bool is_there;

    TRY(t->store->operations->find_bucket(t->store, &is_there, f));
    if (is_there)
        return 0;
    if (!t->create_bucket)
        return failure_set(f, FAILURE_NO_BUCKET, "There is no bucket %.*s",
                           UTF8_SHORT(bucket, 100));
    TRY(t->store->operations->make_bucket(t->store, f));
    log_notice("There was no bucket %.*s: created it", UTF8_SHORT(bucket, 100));
    t->bucket_created = true;
    return 0;
}

/* The end of a pipe is also what is seen of a writer that was killed. */
static bool is_confirmed(const Transfer *t) {
    char byte;
    ssize_t n;

    if (t->confirm_fd < 0)
        return true;
    do
        n = read(t->confirm_fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

/* At the end of the input it has the size that it must have and is confirmed, or there is no
 * object. */
static int on_input(void *userdata, const void *data, size_t size) {
    Putter *p = userdata;

    if (size > p->size - p->digest.size)
        return -ESTALE;
    if (size == 0 && p->size != SIZE_UNKNOWN && p->digest.size != p->size)
        return -ESTALE;
    if (size == 0 && !is_confirmed(p->transfer))
        return -ECONNABORTED;
    if (size == 0) { /* now the size of a stream is known, too */
        set_total(p, p->digest.size);
        p->transfer->progress.done = p->digest.size;
        return 0;
    }
    digest_update(&p->digest, data, size);
    progress_add(&p->transfer->progress, size);
    return 0;
}

static int input_failed(const Putter *p, int error, Failure *f) {
    if (error == -ECONNABORTED)
        return failure_set(f, FAILURE_OTHER,
                           "What wrote into standard input ended without confirming that it was "
                           "complete, and no object was made of it");
    return failure_set(
        f, FAILURE_OTHER, "%.*s %s%s, and no object was made of it",
        UTF8_SHORT(streq(p->transfer->file, "-") ? "Standard input" : p->transfer->file, 200),
        error == -ESTALE ? "ended with another size than it must have" : "cannot be read: ",
        error == -ESTALE ? "" : strerror(-error));
}

static int write_once(Putter *p, Failure *f) {
    const RunSpec spec = {
        .input_fd = p->fd, .input_size = p->size, .on_input = on_input, .userdata = p};
    Store *s = p->transfer->store;
    RunResult result;
    int r;

    digest_done(&p->digest);
    if (digest_init(&p->digest) < 0)
        return failure_set(f, FAILURE_OTHER, "No memory");
    r = s->operations->write(s, p->name, &spec, &result, f);
    return r == -ECANCELED ? input_failed(p, result.error, f) : r;
}

/* A stream cannot be read again; what rclone still has of it, it has sent again by itself. */
static int write_all(Putter *p, Failure *f) {
    int r = 0;

    for (unsigned i = 0; i < TRIES_MAX; i++) {
        if (i > 0 && lseek(p->fd, 0, SEEK_SET) < 0)
            return r;
        p->transfer->progress.done = 0;
        r = write_once(p, f);
        if (r >= 0 || !p->is_file || !failure_may_pass(f->code))
            break;
    }
    return r;
}

static int on_read_back(void *userdata, const void *data, size_t size) {
    Putter *p = userdata;

    digest_update(&p->digest, data, size);
    progress_add(&p->transfer->progress, size);
    return 0;
}

static int damaged(const Putter *p, Failure *f) {
    return failure_set(f, FAILURE_DAMAGED,
                       "The storage has not what was written as the object %.*s",
                       UTF8_SHORT(p->transfer->name, 200));
}

static int read_on(Putter *p, Failure *f) {
    const RunSpec spec = {.input_fd = -1, .on_output = on_read_back, .userdata = p};
    const uint64_t size = p->transfer->digest.size;
    Store *s = p->transfer->store;
    RunResult result;
    int r;

    r = s->operations->read(s, p->name, p->digest.size, &spec, &result, f);
    if (p->digest.size >= size)
        return 0;
    return r < 0 ? r
                 : failure_set(f, FAILURE_CUT_OFF,
                               "What was written could not be read back: it "
                               "ended too early");
}

static int read_back(Putter *p, Failure *f) {
    const uint64_t deadline = p->transfer->store->session.deadline_usec;
    unsigned without_progress = 0;
    DigestResult d;
    int r;

    digest_done(&p->digest);
    if (digest_init(&p->digest) < 0)
        return failure_set(f, FAILURE_OTHER, "No memory");
    do {
        const uint64_t before = p->digest.size;

        r = read_on(p, f);
        without_progress = p->digest.size > before ? 0 : without_progress + 1;
    } while (r < 0 && failure_may_pass(f->code) && without_progress < OBJECT_TRIES_MAX &&
             now_usec(CLOCK_BOOTTIME) < deadline);
    if (r < 0)
        return r;
    digest_final(&p->digest, &d);
    if (d.size != p->transfer->digest.size || !streq(d.sha256, p->transfer->digest.sha256))
        return damaged(p, f);
    p->transfer->is_verified = true;
    return 0;
}

static int verify(Putter *p, Failure *f) {
    const DigestResult *d = &p->transfer->digest;
    Store *s = p->transfer->store;
    ObjectInfo info;

    if (p->transfer->sha256 && strcasecmp(p->transfer->sha256, d->sha256) != 0)
        return failure_set(f, FAILURE_DAMAGED,
                           "What was to be written has another SHA-256 than it must have: %s",
                           d->sha256);
    TRY(s->operations->head(s, p->name, &info, f));
    if (info.size != d->size || (*info.md5 && *d->md5 && strcasecmp(info.md5, d->md5) != 0))
        return damaged(p, f);
    return p->transfer->no_read_back ? 0 : read_back(p, f);
}

/* What failed, counts; what cannot be deleted then, is told besides. */
static void remove_remains(Putter *p, Failure *why) {
    const size_t size = strlen(why->text);
    Store *s = p->transfer->store;
    bool is_gone;
    Failure f;

    if (!s->writes_in_place && why->code != FAILURE_DAMAGED)
        return;
    is_gone = s->operations->remove(s, p->name, &f) >= 0 || f.code == FAILURE_NO_OBJECT ||
              f.code == FAILURE_NO_BUCKET;
    if (!is_gone)
        log_warning("Left behind at the storage: %.*s", UTF8_SHORT(p->name, 300));
    if (why->code == FAILURE_DAMAGED)
        (void)snprintf(why->text + size, sizeof(why->text) - size, "; it %s",
                       is_gone ? "was deleted" : "cannot be deleted, and is no backup");
}

static int put(Putter *p, Failure *f) {
    Store *s = p->transfer->store;

    TRY(write_all(p, f));
    digest_final(&p->digest, &p->transfer->digest);
    TRY(verify(p, f));
    return s->writes_in_place ? s->operations->move(s, p->name, p->transfer->name, f) : 0;
}

int transfer_put(Transfer *t, Failure *f) {
    _cleanup_(putter_done) Putter p = {.transfer = t, .fd = -1};
    int r;

    TRY(open_source(&p, f));
    TRY(choose_name(&p, f));
    TRY(ensure_bucket(t, f));
    r = put(&p, f);
    if (r < 0)
        remove_remains(&p, f);
    return r;
}
