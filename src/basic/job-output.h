/* SPDX-License-Identifier: Apache-2.0 */
/* The files that hold a job's output. Of each stream at most `max` bytes are kept: the first half
 * is the beginning of the stream; behind it is a ring of the same size with the latest bytes: byte
 * n of the stream is at job_output_position(max, n). Once the ring is in use, a line behind it says
 * which bytes can be read while the job runs (JobOutputExtent). */
#pragma once

#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "basic/macro.h"

#define JOB_OUTPUT_GAP_SIZE 192

static inline uint64_t job_output_position(uint64_t max, uint64_t offset) {
    const uint64_t half = max / 2;

    return offset < half ? offset : half + (offset - half) % half;
}

/* Bytes [0, head_end) of the stream are in the head, and the ring holds the last bytes of
 * [tail_start, tail_end). */
typedef struct JobOutputExtent {
    uint64_t head_end, tail_start, tail_end;
} JobOutputExtent;

/* How many bytes of the ring may have been overwritten since dcm-run wrote the line behind it. */
#define JOB_OUTPUT_SLACK ((size_t)32 * 1024)
#define JOB_OUTPUT_EXTENT_SIZE 64
/* Writes the line at its place. A failure only makes bytes unreadable, as any write error does. */
void job_output_write_extent(int fd, uint64_t max, const JobOutputExtent *e);

typedef struct JobOutput {
    int fd;
    uint64_t max;
    bool has_ended; /* there is an exit record, and with it a summary */
    OutputSummary summary;
} JobOutput;

#define JOB_OUTPUT_INIT ((JobOutput){.fd = -1})

/* `name` is stdout or stderr. If `record` is NULL, the function reads the record in the directory,
 * if any. -ENOENT: the output is not kept, or never was. */
int job_output_open(int dir_fd, const char *name, const ExitRecord *record, JobOutput *ret);
/* Opens the lines that the job wrote to DCM_LOG_FILE; also after the job's end. */
int job_output_open_log(int dir_fd, JobOutput *ret);
void job_output_done(JobOutput *o);

/* Reads kept bytes of the stream from `offset` on into buf, which has room for `size`. *ret_offset
 * is the stream offset of the first byte in buf: `offset`, or the next kept byte after a gap.
 * Returns their number, 0 at the end, or a negative errno. While the job runs the end moves. */
ssize_t job_output_read_at(const JobOutput *o, uint64_t offset, char *buf, size_t size,
                           uint64_t *ret_offset);

/* The stream offset at which the readable bytes end. */
uint64_t job_output_get_end(const JobOutput *o);

/* Makes the line that stands for a gap: its size, the size of the stream, and the checksum of the
 * stream. UINT64_MAX: the size is unknown. */
void job_output_gap(const JobOutput *o, uint64_t bytes, char ret[static JOB_OUTPUT_GAP_SIZE]);

/* Reads the whole stream if it has at most `limit` bytes, otherwise the first and the last half of
 * `limit` bytes. A line, placed between characters if the stream is UTF-8, replaces each gap. The
 * buffer has a NUL after its last byte, which is not counted; the caller frees it. */
int job_output_read(const JobOutput *o, uint64_t limit, char **ret, size_t *ret_size);

/* Disk space in bytes that a job's output occupies, the lines in `log` included. */
uint64_t job_output_disk_usage(int dir_fd);
