/* SPDX-License-Identifier: Apache-2.0 */
/* The files that hold a job's output. Of the `max` bytes that are kept of a stream the first half
 * is its beginning; behind them lies a ring of as many bytes with the latest ones: byte n of the
 * stream is at job_output_position(max, n). Behind the ring, once there is something in it, is a
 * line that says what can be read while the job runs (JobOutputExtent). */
#pragma once

#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "basic/macro.h"

#define JOB_OUTPUT_GAP_SIZE 192

static inline uint64_t job_output_position(uint64_t max, uint64_t offset) {
    const uint64_t half = max / 2;

    return offset < half ? offset : half + (offset - half) % half;
}

/* Bytes of the stream: [0, head_end) are in the head, the last of [tail_start, tail_end) in the
 * ring. */
typedef struct JobOutputExtent {
    uint64_t head_end, tail_start, tail_end;
} JobOutputExtent;

/* How far the ring may have been written over since the line behind it was. */
#define JOB_OUTPUT_SLACK ((size_t)32 * 1024)
#define JOB_OUTPUT_EXTENT_SIZE 64
/* The line, and where it is. An error is one more way to lose bytes that could be read. */
void job_output_write_extent(int fd, uint64_t max, const JobOutputExtent *e);

/* One stream. */
typedef struct JobOutput {
    int fd;
    uint64_t max;
    bool has_ended; /* there is an exit record, and with it a summary */
    OutputSummary summary;
} JobOutput;

#define JOB_OUTPUT_INIT ((JobOutput){.fd = -1})

/* `name` is stdout or stderr. `record` NULL: what there is of one in the directory. -ENOENT: it is
 * not kept, or never was. */
int job_output_open(int dir_fd, const char *name, const ExitRecord *record, JobOutput *ret);
/* The lines that the job wrote to DCM_LOG_FILE; also after its end. */
int job_output_open_log(int dir_fd, JobOutput *ret);
void job_output_done(JobOutput *o);

/* Bytes of the stream from an offset on, as far as they were kept: into buf, which has room for
 * `size`. *ret_offset is where they begin: the offset, or what was kept next behind a gap. Returns
 * their number, 0 at the end, or a negative errno. While the job runs the end moves. */
ssize_t job_output_read_at(const JobOutput *o, uint64_t offset, char *buf, size_t size,
                           uint64_t *ret_offset);

/* The end of what can be read, an offset in the stream. */
uint64_t job_output_get_end(const JobOutput *o);

/* A line that stands for bytes that are left out: how many, of how many, and the checksum of all;
 * UINT64_MAX: it is not known how many. */
void job_output_gap(const JobOutput *o, uint64_t bytes, char ret[static JOB_OUTPUT_GAP_SIZE]);

/* The whole stream if it has at most `limit` bytes, else the first and the last half of as many;
 * for what is left out or was not kept a line, between characters if it is UTF-8. The buffer has a
 * NUL after its last byte, which is not counted; the caller frees. */
int job_output_read(const JobOutput *o, uint64_t limit, char **ret, size_t *ret_size);

/* Bytes on the disk that a job's output takes, the lines in `log` included. */
uint64_t job_output_disk_usage(int dir_fd);
