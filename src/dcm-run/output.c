/* SPDX-License-Identifier: Apache-2.0 */
/* Counting and hashing continue whatever happens to the file: a full disk loses bytes, never the
 * job nor the true number of bytes. The head is the beginning of the stream without a gap, the ring
 * its latest run of bytes without a gap; a failed write ends a run, and later bytes that can be
 * written begin a new one. */
#include "dcm-run/output.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/job-output.h"

/* Half of a pipe's capacity; readers of a running job allow for so many new bytes, and the smallest
 * ring is larger. */
#define COPY_SIZE JOB_OUTPUT_SLACK

_Static_assert(COPY_SIZE < JOB_OUTPUT_MIN / 2, "one copy may lap the ring");

void output_init(Output *o, int file_fd, uint64_t max) {
    *o = (Output){
        .pipe_fd = -1, .file_fd = file_fd, .max = max, .tail_start = max / 2, .tail_end = max / 2};
    sha256_init(&o->sha256);
}

void output_done(Output *o) {
    o->pipe_fd = safe_close(o->pipe_fd);
}

/* Returns the number of bytes written before an error. */
static size_t write_at(int fd, const char *buf, size_t size, uint64_t position) {
    size_t done = 0;

    while (done < size) {
        ssize_t n = pwrite(fd, buf + done, size - done, (off_t)(position + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

static void keep_head(Output *o, const char *buf, size_t size) {
    if (o->head_end == o->total)
        o->head_end += write_at(o->file_fd, buf, size, o->total);
}

static void keep_tail(Output *o, const char *buf, size_t size) {
    size_t written = write_at(o->file_fd, buf, size, job_output_position(o->max, o->total));

    if (written == 0)
        return;
    if (o->tail_end != o->total)
        o->tail_start = o->total;
    o->tail_end = o->total + written;
}

/* Splits the bytes at the end of the head and at the end of the ring. */
static void keep(Output *o, const char *buf, size_t size) {
    sha256_update(&o->sha256, buf, size);
    while (size > 0) {
        uint64_t position = job_output_position(o->max, o->total);
        bool in_head = o->total < o->max / 2;
        uint64_t room = o->max / 2 * (in_head ? 1 : 2) - position;
        size_t n = MIN(size, room);

        if (in_head)
            keep_head(o, buf, n);
        else
            keep_tail(o, buf, n);
        o->total += n;
        buf += n;
        size -= n;
    }
}

/* For readers while the job runs. */
static void publish(const Output *o) {
    const JobOutputExtent e = {o->head_end, o->tail_start, o->tail_end};

    if (o->total > o->max / 2)
        job_output_write_extent(o->file_fd, o->max, &e);
}

void output_add(Output *o, const char *text, size_t size) {
    keep(o, text, size);
    publish(o);
}

void output_copy(Output *o, size_t max) {
    static char buf[COPY_SIZE];
    ssize_t n;

    n = read(o->pipe_fd, buf, MIN(max, sizeof(buf)));
    if (n > 0)
        output_add(o, buf, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        o->pipe_fd = safe_close(o->pipe_fd);
}

void output_drain(Output *o) {
    int capacity = o->pipe_fd >= 0 ? fcntl(o->pipe_fd, F_GETPIPE_SZ) : 0;
    uint64_t before, end = o->total + (uint64_t)MAX(capacity, 0);

    while (o->pipe_fd >= 0 && o->total < end) {
        before = o->total;
        output_copy(o, end - o->total);
        if (o->total == before)
            break;
    }
}

/* From now on the exit record says what can be read. */
static void unpublish(const Output *o) {
    const uint64_t half = o->max / 2;

    if (o->total > half)
        (void)!ftruncate(o->file_fd, (off_t)(half + MIN(o->total - half, half)));
}

void output_summarize(Output *o, OutputSummary *ret) {
    uint64_t tail = o->tail_end - o->tail_start;
    uint64_t kept = MIN(tail, o->max / 2);

    unpublish(o);
    if (o->total > 0)
        (void)fdatasync(o->file_fd); /* an error here only loses kept bytes */
    *ret = (OutputSummary){.total_bytes = o->total,
                           .head_bytes = o->head_end,
                           .tail_bytes = kept,
                           .tail_offset = kept > 0 ? o->tail_end - kept : 0};
    sha256_final_hex(&o->sha256, ret->sha256);
}
