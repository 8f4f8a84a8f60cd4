/* SPDX-License-Identifier: Apache-2.0 */
/* After a power loss a file may be shorter than its summary says: the missing bytes count as a
 * gap. */
#include "basic/job-output.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/utf8.h"

#define GAPS_AT_MOST 5 /* in a text: in each half, between them, and at the end */
#define BLOCK_SIZE 512 /* of st_blocks */

typedef struct Text {
    char *data;
    size_t size, begun; /* where the text after the last gap begins */
    uint64_t reached;   /* next stream offset */
} Text;

static int open_stream(int dir_fd, const char *name) {
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

/* An unreadable record does not prevent reading the output. */
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

/* The record has no summary of the log: the line behind the ring says what can be read. If an older
 * version started the job, the script wrote the file itself: a head without end. */
int job_output_open_log(int dir_fd, JobOutput *ret) {
    JobOutput o = {.fd = open_stream(dir_fd, "log")};

    if (o.fd < 0)
        return o.fd;
    read_record(dir_fd, false, &o);
    o.has_ended = false;
    if (faccessat(dir_fd, "log-pipe", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        o.max = UINT64_MAX;
    *ret = o;
    return 0;
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

/* Returns the number of bytes read. */
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

void job_output_write_extent(int fd, uint64_t max, const JobOutputExtent *e) {
    char text[JOB_OUTPUT_EXTENT_SIZE + 1];

    (void)snprintf(text, sizeof(text), "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 "\n\n",
                   e->head_end, e->tail_start, e->tail_end);
    (void)!pwrite(fd, text, JOB_OUTPUT_EXTENT_SIZE, (off_t)(max / 2 * 2));
}

/* Without the line only the beginning is known to be readable. */
static void read_extent(const JobOutput *o, JobOutputExtent *ret) {
    char text[JOB_OUTPUT_EXTENT_SIZE + 1] = "";
    struct stat st;

    if (read_at(o->fd, text, JOB_OUTPUT_EXTENT_SIZE, o->max / 2 * 2) == JOB_OUTPUT_EXTENT_SIZE &&
        sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &ret->head_end, &ret->tail_start,
               &ret->tail_end) == 3)
        return;
    *ret = (JobOutputExtent){};
    if (fstat(o->fd, &st) >= 0)
        ret->head_end = ret->tail_start = ret->tail_end = (uint64_t)st.st_size;
}

static void get_extent(const JobOutput *o, JobOutputExtent *ret) {
    const OutputSummary *s = &o->summary;
    const uint64_t half = o->max / 2;
    uint64_t kept = half;

    if (o->has_ended)
        *ret = (JobOutputExtent){s->head_bytes, s->tail_offset, s->tail_offset + s->tail_bytes};
    else {
        read_extent(o, ret);
        kept = half > JOB_OUTPUT_SLACK ? half - JOB_OUTPUT_SLACK : 0;
    }
    ret->head_end = MIN(ret->head_end, half);
    if (ret->tail_end < ret->tail_start)
        ret->tail_end = ret->tail_start;
    ret->tail_start = MAX(ret->tail_start, ret->tail_end - MIN(ret->tail_end, kept));
}

uint64_t job_output_get_end(const JobOutput *o) {
    JobOutputExtent e;

    get_extent(o, &e);
    return MAX(e.head_end, e.tail_end);
}

ssize_t job_output_read_at(const JobOutput *o, uint64_t offset, char *buf, size_t size,
                           uint64_t *ret_offset) {
    const uint64_t half = o->max / 2;
    JobOutputExtent e, after;
    ssize_t n;

    for (;;) {
        uint64_t position;

        get_extent(o, &e);
        *ret_offset = offset;
        if (offset < e.head_end)
            return read_at(o->fd, buf, MIN(size, e.head_end - offset), offset);
        if (e.tail_start == e.tail_end)
            return 0;
        if (offset < e.tail_start)
            *ret_offset = offset = e.tail_start;
        if (offset >= e.tail_end)
            return 0;
        position = job_output_position(o->max, offset);
        /* the ring continues at its beginning */
        n = read_at(o->fd, buf, MIN(size, MIN(e.tail_end - offset, 2 * half - position)), position);
        if (n <= 0 || o->has_ended)
            return n;
        get_extent(o, &after);
        if (offset >= after.tail_start) /* otherwise dcm-run overwrote it meanwhile */
            return n;
    }
}

void job_output_gap(const JobOutput *o, uint64_t bytes, char ret[static JOB_OUTPUT_GAP_SIZE]) {
    if (bytes == UINT64_MAX)
        (void)snprintf(ret, JOB_OUTPUT_GAP_SIZE, "\n[... more was left out ...]\n");
    else if (o->summary.total_bytes == 0)
        (void)snprintf(ret, JOB_OUTPUT_GAP_SIZE, "\n[... %" PRIu64 " bytes left out ...]\n", bytes);
    else
        (void)snprintf(ret, JOB_OUTPUT_GAP_SIZE,
                       "\n[... %" PRIu64 " of %" PRIu64 " bytes left out; SHA-256 of all: %.64s "
                       "...]\n",
                       bytes, o->summary.total_bytes, o->summary.sha256);
}

/* Adds a gap up to `end`, or of unknown size (UINT64_MAX), which includes a character cut at its
 * beginning. */
static void add_gap(const JobOutput *o, uint64_t end, Text *t) {
    size_t size = t->size - t->begun, whole = utf8_whole(t->data + t->begun, size);
    char gap[JOB_OUTPUT_GAP_SIZE];

    if (end <= t->reached)
        return;
    t->size = t->begun + whole;
    t->reached -= size - whole;
    job_output_gap(o, end == UINT64_MAX ? end : end - t->reached, gap);
    t->size += (size_t)(stpcpy(t->data + t->size, gap) - (t->data + t->size));
    t->begun = t->size;
}

/* Finds the next kept byte that does not continue a character. Returns 1, or 0 if there is none. */
static ssize_t find_next(const JobOutput *o, uint64_t from, const Text *t, uint64_t *ret) {
    ssize_t n = 0;

    for (unsigned cut = 0; cut < 4; cut++) {
        char c = 0;

        n = job_output_read_at(o, from, &c, 1, ret);
        if (n <= 0 || *ret == t->reached || !utf8_is_continuation((unsigned char)c))
            break;
        from = *ret + 1;
    }
    return n;
}

/* Adds the kept bytes of [from, to) of the stream, with a line for each gap before them. */
static int add_range(const JobOutput *o, uint64_t from, uint64_t to, Text *t) {
    while (from < to) {
        uint64_t at;
        ssize_t n;

        /* whether anything that would be shown follows the gap */
        n = find_next(o, from, t, &at);
        if (n < 0)
            return (int)n;
        if (n == 0 || at >= to)
            break;
        add_gap(o, at, t);
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
        add_gap(o, total, t);
    else if (job_output_get_end(o) > t->reached)
        add_gap(o, UINT64_MAX, t);
    return 0;
}

int job_output_read(const JobOutput *o, uint64_t limit, char **ret, size_t *ret_size) {
    _cleanup_free_ char *data = malloc(MIN(limit, o->max) + GAPS_AT_MOST * JOB_OUTPUT_GAP_SIZE + 1);
    Text t = {.data = data};

    if (!data)
        return -ENOMEM;
    TRY(add_ranges(o, limit, &t));
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
