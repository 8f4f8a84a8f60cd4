/* SPDX-License-Identifier: Apache-2.0 */
/* The files that hold a job's output. The first JOB_OUTPUT_HEAD_MAX bytes of a file are the
 * stream's first bytes; behind them lies a ring of JOB_OUTPUT_TAIL_MAX bytes with the latest ones:
 * byte n of the stream is at job_output_position(n). */
#pragma once

#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "basic/macro.h"

static inline uint64_t job_output_position(uint64_t offset) {
    return offset < JOB_OUTPUT_HEAD_MAX
               ? offset
               : JOB_OUTPUT_HEAD_MAX + (offset - JOB_OUTPUT_HEAD_MAX) % JOB_OUTPUT_TAIL_MAX;
}

/* Bytes of the stream from an offset on, as far as they were kept: into buf, which has room for
 * `size`. *ret_offset is where they begin: the offset, or what was kept next behind a gap. Returns
 * their number, 0 at the end, or a negative errno. Without a summary (no exit record) what the file
 * holds of its head. */
ssize_t job_output_read_at(int dir_fd, const char *name, const OutputSummary *s, uint64_t offset,
                           char *buf, size_t size, uint64_t *ret_offset);

/* The stream as far as it was kept: head, a line that says how many bytes are missing, tail. With
 * no summary (no exit record) what the file holds of its head. The buffer has a NUL after its last
 * byte, which is not counted. */
int job_output_read(int dir_fd, const char *name, const OutputSummary *s, char **ret,
                    size_t *ret_size);
