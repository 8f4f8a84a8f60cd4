/* SPDX-License-Identifier: Apache-2.0 */
/* A summary comes from a record that the job could have forged, and a file may be shorter than its
 * summary says after a power loss: bytes that the file does not have are bytes left out. */
#include "basic/job-output.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define GAP_SIZE_MAX 64

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

/* Bytes of the ring: up to its end, then from its beginning. */
static ssize_t read_tail(int fd, char *buf, const OutputSummary *s) {
    uint64_t position = job_output_position(s->tail_offset);
    size_t size = MIN(s->tail_bytes, JOB_OUTPUT_TAIL_MAX);
    size_t first = MIN(size, JOB_OUTPUT_HEAD_MAX + JOB_OUTPUT_TAIL_MAX - position);
    ssize_t n, m;

    n = read_at(fd, buf, first, position);
    if (n < 0 || (size_t)n < first)
        return n;
    m = read_at(fd, buf + n, size - first, JOB_OUTPUT_HEAD_MAX);
    return m < 0 ? m : n + m;
}

static int open_stream(int dir_fd, const char *name) {
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

ssize_t job_output_read_at(int dir_fd, const char *name, const OutputSummary *s, uint64_t offset,
                           char *buf, size_t size, uint64_t *ret_offset) {
    const uint64_t head = s ? MIN(s->head_bytes, JOB_OUTPUT_HEAD_MAX) : JOB_OUTPUT_HEAD_MAX;
    const uint64_t tail = s ? MIN(s->tail_bytes, JOB_OUTPUT_TAIL_MAX) : 0;
    _cleanup_close_ int fd = -1;
    uint64_t position, end;

    fd = open_stream(dir_fd, name);
    if (fd < 0)
        return fd;
    *ret_offset = offset;
    if (offset < head)
        return read_at(fd, buf, MIN(size, head - offset), offset);
    if (tail == 0)
        return 0;
    if (offset < s->tail_offset)
        *ret_offset = offset = s->tail_offset;
    if (offset >= s->tail_offset + tail)
        return 0;
    position = job_output_position(offset);
    end = JOB_OUTPUT_HEAD_MAX + JOB_OUTPUT_TAIL_MAX; /* the ring goes on at its beginning */
    size = MIN(size, MIN(s->tail_offset + tail - offset, end - position));
    return read_at(fd, buf, size, position);
}

static size_t add_gap(char *buf, uint64_t bytes) {
    if (bytes == 0)
        return 0;
    return (size_t)snprintf(buf, GAP_SIZE_MAX, "\n[... %" PRIu64 " bytes left out ...]\n", bytes);
}

int job_output_read(int dir_fd, const char *name, const OutputSummary *s, char **ret,
                    size_t *ret_size) {
    const size_t head = s ? MIN(s->head_bytes, JOB_OUTPUT_HEAD_MAX) : JOB_OUTPUT_HEAD_MAX;
    const size_t tail = s ? MIN(s->tail_bytes, JOB_OUTPUT_TAIL_MAX) : 0;
    _cleanup_free_ char *buf = NULL;
    _cleanup_close_ int fd = -1;
    uint64_t reached;
    size_t size;
    ssize_t n;

    fd = open_stream(dir_fd, name);
    if (fd < 0)
        return fd;
    buf = malloc(head + tail + 2 * GAP_SIZE_MAX + 1);
    if (!buf)
        return -ENOMEM;

    n = read_at(fd, buf, head, 0);
    if (n < 0)
        return (int)n;
    size = reached = (size_t)n;
    if (s && tail > 0) {
        if (s->tail_offset > reached)
            size += add_gap(buf + size, s->tail_offset - reached);
        n = read_tail(fd, buf + size, s);
        if (n < 0)
            return (int)n;
        size += (size_t)n;
        reached = s->tail_offset + (size_t)n;
    }
    if (s && s->total_bytes > reached)
        size += add_gap(buf + size, s->total_bytes - reached);

    buf[size] = 0;
    *ret = TAKE_PTR(buf);
    *ret_size = size;
    return 0;
}
