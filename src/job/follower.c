/* SPDX-License-Identifier: Apache-2.0 */
/* The offset is that of the first line that was not passed on: an incomplete line is read again
 * with the next change. Nothing is kept in memory. */
#include "job/follower.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/job-output.h"
#include "proto/text.h"

struct Follower {
    FollowerKind kind;
    JobOutput output;
    int pipe_fd; /* the source of FOLLOWER_LOG, from which dcm-run copies; -1: none */
    FileWatch *changes;
    uint64_t offset;
    bool skipping; /* up to the end of a line whose rest is not sent */
    bool ended;
    int dir_fd;
    FollowerCallbacks callbacks;
    void *userdata;
};

static const char *const names[] = {
    [FOLLOWER_STDOUT] = "stdout",
    [FOLLOWER_STDERR] = "stderr",
};

/* Holds the FIFO open: otherwise lines that a killed dcm-run had not read would vanish with the
 * last reader. */
static void hold_pipe(Follower *f) {
    if (f->kind == FOLLOWER_LOG)
        f->pipe_fd = openat(f->dir_fd, "log-pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

static int open_file(Follower *f) {
    return f->kind == FOLLOWER_LOG ? job_output_open_log(f->dir_fd, &f->output)
                                   : job_output_open(f->dir_fd, names[f->kind], NULL, &f->output);
}

static void tell(Follower *f, const char *line, size_t size) {
    _cleanup_free_ char *text = NULL;

    if (size > 0 && line[size - 1] == '\r')
        size--;
    if (size > 0 && utf8_replace_invalid(line, size, &text) >= 0)
        f->callbacks.on_line(f->kind, text, f->userdata);
}

/* Number of bytes of the next line, or of its sent or skipped part; 0: the line is incomplete. */
static size_t take_line(Follower *f, const char *buf, size_t size, bool is_last) {
    const char *end = memchr(buf, '\n', size);
    size_t length = end ? (size_t)(end - buf) : size;

    if (f->skipping) {
        f->skipping = !end;
        return length + (end ? 1 : 0);
    }
    if (length > JOB_LINE_MAX)
        length = utf8_cut(buf, JOB_LINE_MAX);
    else if (!end && !is_last)
        return 0;
    tell(f, buf, length);
    f->skipping = (!end && !is_last) || (end && length < (size_t)(end - buf));
    return length + (end && !f->skipping ? 1 : 0);
}

/* Passes on lines of the buffer. Returns their size. */
static size_t take_lines(Follower *f, const char *buf, size_t size, bool is_last, unsigned *n) {
    size_t done = 0, k;

    while (*n > 0 && done < size) {
        k = take_line(f, buf + done, size - done, is_last);
        if (k == 0)
            break;
        *n -= 1;
        done += k;
    }
    return done;
}

/* Skips bytes that were overwritten meanwhile, up to the next line. */
static ssize_t read_next(Follower *f, char *buf, size_t size) {
    uint64_t offset = f->offset;
    ssize_t n;

    n = job_output_read_at(&f->output, f->offset, buf, size, &offset);
    if (n <= 0)
        return n;
    f->skipping = f->skipping || offset != f->offset;
    f->offset = offset;
    return n;
}

int follower_read(Follower *f, unsigned *n) {
    char buf[2 * JOB_LINE_MAX];

    if (f->kind == FOLLOWER_LOG && job_output_get_end(&f->output) < f->offset)
        f->offset = 0; /* a job that an older version started can truncate the file */
    for (uint64_t read = 0; read < JOB_READ_MAX;) {
        ssize_t size = read_next(f, buf, sizeof(buf));
        size_t done;

        if (size <= 0)
            return 0;
        done = take_lines(f, buf, (size_t)size, f->ended && (size_t)size < sizeof(buf), n);
        f->offset += done;
        read += done;
        if (*n == 0)
            return 1;
        if (done == 0)
            return 0;
    }
    return 1;
}

void follower_drain(Follower *f, unsigned *n) {
    char buf[2 * JOB_LINE_MAX];
    ssize_t size = f->pipe_fd >= 0 ? read(f->pipe_fd, buf, sizeof(buf)) : 0;

    f->skipping = false;
    if (size > 0)
        (void)take_lines(f, buf, (size_t)size, true, n);
}

/* From now on the exit record determines how to read the output files. */
void follower_end(Follower *f) {
    f->ended = true;
    f->changes = file_watch_free(f->changes);
    job_output_done(&f->output);
    if (open_file(f) < 0)
        f->output = JOB_OUTPUT_INIT;
}

uint64_t follower_skip(Follower *f, uint64_t keep) {
    uint64_t end = job_output_get_end(&f->output), skipped;

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

int follower_new(FileWatches *watches, int dir_fd, FollowerKind kind, uint64_t offset,
                 const FollowerCallbacks *callbacks, void *userdata, Follower **ret) {
    Follower *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return -ENOMEM;
    *f = (Follower){.kind = kind,
                    .dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3),
                    .output = JOB_OUTPUT_INIT,
                    .pipe_fd = -1,
                    .offset = offset,
                    .callbacks = *callbacks,
                    .userdata = userdata};
    r = f->dir_fd < 0 ? -errno : open_file(f);
    if (r >= 0)
        r = file_watch_new(watches, f->output.fd, on_change, f, &f->changes);
    if (r < 0) {
        follower_free(f);
        return r;
    }
    hold_pipe(f);
    *ret = f;
    return 0;
}

Follower *follower_free(Follower *f) {
    if (!f)
        return NULL;
    file_watch_free(f->changes);
    job_output_done(&f->output);
    safe_close(f->pipe_fd);
    safe_close(f->dir_fd);
    free(f);
    return NULL;
}
