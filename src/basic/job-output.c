/* SPDX-License-Identifier: Apache-2.0 */
/* A summary comes from a record that the job could have forged, and a file may be shorter than its
 * summary says after a power loss: bytes that the file does not have are bytes left out. */
#include "basic/job-output.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"

#define GAPS_AT_MOST 5 /* in a text: in each half, between them, and at the end */
#define BLOCK_SIZE 512 /* of st_blocks */

typedef struct Text {
    char *data;
    size_t size;
    uint64_t reached; /* what comes next of the stream */
} Text;

static int open_stream(int dir_fd, const char *name) {
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

/* What the job may have made of it is no reason not to read its output. */
static void read_record(int dir_fd, bool is_stdout, JobOutput *o) {
    _cleanup_free_ char *text = NULL;
    ExitRecord record;
    size_t size = 0;

    (void)read_file_at(dir_fd, "exit", EXIT_RECORD_MAX, &text, &size);
    o->has_ended = exit_record_parse(strempty(text), size, &record) >= 0;
    o->max = exit_record_get_output_max(strempty(text), size);
    if (o->has_ended)
        o->summary = is_stdout ? record.out : record.err;
}

int job_output_open(int dir_fd, const char *name, const ExitRecord *record, JobOutput *ret) {
    const bool is_stdout = streq(name, "stdout");
    JobOutput o = {.fd = open_stream(dir_fd, name), .has_ended = record};

    if (o.fd < 0)
        return o.fd;
    if (record) {
        o.max = record->output_max ?: JOB_OUTPUT_DEFAULT;
        o.summary = is_stdout ? record->out : record->err;
    } else
        read_record(dir_fd, is_stdout, &o);
    *ret = o;
    return 0;
}

void job_output_done(JobOutput *o) {
    o->fd = safe_close(o->fd);
}

/* Returns how many bytes there were. */
static ssize_t read_at(int fd, char *buf, size_t size, uint64_t position) {
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, buf + done, size - done, (off_t)(position + done));

        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

ssize_t job_output_read_at(const JobOutput *o, uint64_t offset, char *buf, size_t size,
                           uint64_t *ret_offset) {
    const OutputSummary *s = &o->summary;
    const uint64_t half = o->max / 2;
    const uint64_t head = o->has_ended ? MIN(s->head_bytes, half) : half;
    const uint64_t tail = o->has_ended ? MIN(s->tail_bytes, half) : 0;
    uint64_t position;

    *ret_offset = offset;
    if (offset < head)
        return read_at(o->fd, buf, MIN(size, head - offset), offset);
    if (tail == 0)
        return 0;
    if (offset < s->tail_offset)
        *ret_offset = offset = s->tail_offset;
    if (offset >= s->tail_offset + tail)
        return 0;
    position = job_output_position(o->max, offset);
    /* the ring goes on at its beginning */
    size = MIN(size, MIN(s->tail_offset + tail - offset, 2 * half - position));
    return read_at(o->fd, buf, size, position);
}

void job_output_gap(const JobOutput *o, uint64_t bytes, char ret[static JOB_OUTPUT_GAP_SIZE]) {
    if (bytes == UINT64_MAX)
        (void)snprintf(ret, JOB_OUTPUT_GAP_SIZE, "\n[... more is not told ...]\n");
    else
        (void)snprintf(ret, JOB_OUTPUT_GAP_SIZE,
                       "\n[... %" PRIu64 " of %" PRIu64 " bytes left out; SHA-256 of all: %.64s "
                       "...]\n",
                       bytes, o->summary.total_bytes, o->summary.sha256);
}

static void add_gap(const JobOutput *o, uint64_t bytes, Text *t) {
    char gap[JOB_OUTPUT_GAP_SIZE];

    if (bytes == 0)
        return;
    job_output_gap(o, bytes, gap);
    t->size += (size_t)(stpcpy(t->data + t->size, gap) - (t->data + t->size));
}

/* What was kept of stream bytes [from, to), with a line for each gap before it. */
static int add_range(const JobOutput *o, uint64_t from, uint64_t to, Text *t) {
    while (from < to) {
        char first;
        uint64_t at;
        ssize_t n;

        /* whether something follows the gap that would be told of */
        n = job_output_read_at(o, from, &first, 1, &at);
        if (n < 0)
            return (int)n;
        if (n == 0 || at >= to)
            break;
        add_gap(o, at - t->reached, t);
        n = job_output_read_at(o, at, t->data + t->size, to - at, &at);
        if (n <= 0)
            return (int)n;
        t->size += (size_t)n;
        t->reached = from = at + (uint64_t)n;
    }
    return 0;
}

static int add_ranges(const JobOutput *o, uint64_t limit, Text *t) {
    const uint64_t total = o->summary.total_bytes;
    char more;
    int r;

    if (!o->has_ended || total <= limit)
        r = add_range(o, 0, limit, t);
    else {
        r = add_range(o, 0, limit / 2, t);
        if (r >= 0)
            r = add_range(o, MAX(total - limit / 2, t->reached), total, t);
    }
    if (r < 0)
        return r;
    if (o->has_ended)
        add_gap(o, total > t->reached ? total - t->reached : 0, t);
    else if (read_at(o->fd, &more, 1, t->reached) > 0)
        add_gap(o, UINT64_MAX, t);
    return 0;
}

int job_output_read(const JobOutput *o, uint64_t limit, char **ret, size_t *ret_size) {
    _cleanup_free_ char *data = malloc(MIN(limit, o->max) + GAPS_AT_MOST * JOB_OUTPUT_GAP_SIZE + 1);
    Text t = {.data = data};
    int r;

    if (!data)
        return -ENOMEM;
    r = add_ranges(o, limit, &t);
    if (r < 0)
        return r;
    data[t.size] = 0;
    *ret = TAKE_PTR(data);
    *ret_size = t.size;
    return 0;
}

uint64_t job_output_disk_usage(int dir_fd) {
    static const char *const names[] = {"stdout", "stderr", "log"};
    uint64_t bytes = 0;
    struct stat st;

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (fstatat(dir_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) >= 0)
            bytes += (uint64_t)st.st_blocks * BLOCK_SIZE;
    return bytes;
}
