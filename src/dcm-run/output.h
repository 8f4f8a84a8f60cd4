/* SPDX-License-Identifier: Apache-2.0 */
/* One output stream of the script: copies a pipe into a file of limited size. */
#pragma once

#include "basic/exit-record.h"
#include "basic/macro.h"
#include "basic/sha256.h"

typedef struct Output {
    int pipe_fd; /* -1 after its end */
    int file_fd;
    uint64_t max; /* limit of the kept bytes */
    uint64_t total;
    uint64_t head_end;             /* the head has stream bytes [0, head_end) */
    uint64_t tail_start, tail_end; /* the ring has the last of stream bytes [start, end) */
    Sha256 sha256;
} Output;

/* `max`: limit of the kept bytes, at least JOB_OUTPUT_MIN. The file belongs to the caller; -1:
 * none. */
void output_init(Output *o, int file_fd, uint64_t max);
void output_done(Output *o);

/* Copies available bytes, at most `max`; never blocks. Closes the pipe at its end. */
void output_copy(Output *o, size_t max);

/* Appends a text of dcm-run to the stream. */
void output_add(Output *o, const char *text, size_t size);

/* Copies the bytes that the pipe holds at this moment and no more, however fast it is being
 * filled. */
void output_drain(Output *o);

/* Also makes the file durable. */
void output_summarize(Output *o, OutputSummary *ret);
