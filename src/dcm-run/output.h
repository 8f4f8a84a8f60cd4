/* SPDX-License-Identifier: Apache-2.0 */
/* One output stream of the script: what comes out of a pipe goes into a bounded file. */
#pragma once

#include "basic/exit-record.h"
#include "basic/macro.h"
#include "basic/sha256.h"

typedef struct Output {
    int pipe_fd; /* -1 after its end */
    int file_fd;
    uint64_t max; /* bytes that are kept */
    uint64_t total;
    uint64_t head_end;             /* the head holds stream bytes [0, head_end) */
    uint64_t tail_start, tail_end; /* the ring holds the last of stream bytes [start, end) */
    Sha256 sha256;
} Output;

/* `max`: bytes that are kept, JOB_OUTPUT_MIN at least. The file stays the caller's; -1: none. */
void output_init(Output *o, int file_fd, uint64_t max);
void output_done(Output *o);

/* Copies what the pipe has now, at most `max` bytes; never blocks. Closes the pipe at its end. */
void output_copy(Output *o, size_t max);

/* Adds a text of our own to the stream. */
void output_add(Output *o, const char *text, size_t size);

/* Copies what the pipe holds at this moment and no more, however fast somebody fills it. */
void output_drain(Output *o);

/* Makes the file durable. */
void output_summarize(Output *o, OutputSummary *ret);
