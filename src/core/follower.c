/* SPDX-License-Identifier: Apache-2.0 */
/* The offset is that of the first line that was not given out: a line that has no end yet is read
 * again with the next change. Nothing is kept in memory. */
#include "core/follower.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/job-output.h"
#include "proto/text.h"

struct Follower {
    FollowerKind kind;
    int fd; /* of the log */
    JobOutput output;
    FileWatch *changes;
    uint64_t offset;
    bool skipping; /* up to the end of a line of which not all is told */
    bool ended;
    int dir_fd;
    FollowerCallbacks callbacks;
    void *userdata;
};

static const char *const names[] = {
    [FOLLOWER_LOG] = "log",
    [FOLLOWER_STDOUT] = "stdout",
    [FOLLOWER_STDERR] = "stderr",
};

static uint64_t get_end(Follower *f) {
    struct stat st;

    if (f->kind != FOLLOWER_LOG)
        return job_output_get_end(&f->output);
    return fstat(f->fd, &st) < 0 ? f->offset : (uint64_t)st.st_size;
}

static ssize_t read_at(Follower *f, char *buf, size_t size, uint64_t *ret_offset) {
    ssize_t n;

    if (f->kind != FOLLOWER_LOG)
        return job_output_read_at(&f->output, f->offset, buf, size, ret_offset);
    *ret_offset = f->offset;
    n = pread(f->fd, buf, size, (off_t)f->offset);
    return n < 0 ? -errno : n;
}

static void tell(Follower *f, const char *line, size_t size) {
    _cleanup_free_ char *text = NULL;

    if (size > 0 && line[size - 1] == '\r')
        size--;
    if (size > 0 && utf8_replace_invalid(line, size, &text) >= 0)
        f->callbacks.on_line(f->kind, text, f->userdata);
}

/* How many bytes of the buffer are a line, or of one what is told or left out; 0: not all of it is
 * there. */
static size_t take_line(Follower *f, const char *buf, size_t size, bool is_last, bool *ret_told) {
    const char *end = memchr(buf, '\n', size);
    size_t length = end ? (size_t)(end - buf) : size;

    *ret_told = false;
    if (f->skipping) {
        f->skipping = !end;
        return length + (end ? 1 : 0);
    }
    if (length > JOB_LINE_MAX)
        length = utf8_cut(buf, JOB_LINE_MAX);
    else if (!end && !is_last)
        return 0;
    tell(f, buf, length);
    *ret_told = length > 0;
    f->skipping = (!end && !is_last) || (end && length < (size_t)(end - buf));
    return length + (end && !f->skipping ? 1 : 0);
}

int follower_read(Follower *f, unsigned *n) {
    char buf[2 * JOB_LINE_MAX];

    if (f->kind == FOLLOWER_LOG && get_end(f) < f->offset)
        f->offset = 0; /* the job has emptied it */
    for (;;) {
        uint64_t offset = f->offset;
        ssize_t size = read_at(f, buf, sizeof(buf), &offset);
        size_t done = 0;

        if (size <= 0)
            return 0;
        f->offset = offset;
        while (done < (size_t)size) {
            bool is_last = f->ended && (size_t)size < sizeof(buf), told;
            size_t k;

            if (*n == 0)
                return 1;
            k = take_line(f, buf + done, (size_t)size - done, is_last, &told);
            if (k == 0)
                break;
            *n -= told;
            done += k;
            f->offset += k;
        }
        if (done == 0)
            return 0;
    }
}

/* The output files are different then: the exit record says what is in them. */
void follower_end(Follower *f) {
    f->ended = true;
    f->changes = file_watch_free(f->changes);
    if (f->kind == FOLLOWER_LOG)
        return;
    job_output_done(&f->output);
    if (job_output_open(f->dir_fd, names[f->kind], NULL, &f->output) < 0)
        f->output = JOB_OUTPUT_INIT;
}

uint64_t follower_skip(Follower *f, uint64_t keep) {
    uint64_t end = get_end(f), skipped;

    if (end <= f->offset || end - f->offset <= keep)
        return 0;
    skipped = end - keep - f->offset;
    f->offset += skipped;
    f->skipping = true;
    return skipped;
}

uint64_t follower_get_offset(const Follower *f) {
    return f->offset;
}

static void on_change(void *userdata) {
    Follower *f = userdata;

    f->callbacks.on_ready(f, f->userdata);
}

static int open_file(Follower *f) {
    if (f->kind != FOLLOWER_LOG)
        return job_output_open(f->dir_fd, names[f->kind], NULL, &f->output);
    f->fd = openat(f->dir_fd, names[f->kind], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return f->fd < 0 ? -errno : 0;
}

int follower_new(FileWatches *watches, int dir_fd, FollowerKind kind, uint64_t offset,
                 const FollowerCallbacks *callbacks, void *userdata, Follower **ret) {
    Follower *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return -ENOMEM;
    *f = (Follower){.kind = kind,
                    .fd = -1,
                    .dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3),
                    .output = JOB_OUTPUT_INIT,
                    .offset = offset,
                    .callbacks = *callbacks,
                    .userdata = userdata};
    r = f->dir_fd < 0 ? -errno : open_file(f);
    if (r >= 0)
        r = file_watch_new(watches, kind == FOLLOWER_LOG ? f->fd : f->output.fd, on_change, f,
                           &f->changes);
    if (r < 0) {
        follower_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

Follower *follower_free(Follower *f) {
    if (!f)
        return NULL;
    file_watch_free(f->changes);
    job_output_done(&f->output);
    safe_close(f->fd);
    safe_close(f->dir_fd);
    free(f);
    return NULL;
}
