/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that run at the same time, joined by pipes. What they all came to counts, not the last
 * one: a pipeline is done when each has ended with 0. If one fails all others are killed.
 *
 *     producers            this program           sinks
 *     tar | zstd | age  ->  counts, hashes  ->  dcm-object put
 *                                           ->  dcm-object put
 *
 * A sink is told that its input was complete only when all producers have ended with 0. */
#pragma once

#include "basic/sha256.h"
#include "dcm-backup/process.h"

typedef enum StageInput {
    STAGE_NO_INPUT,
    STAGE_FROM_PREVIOUS, /* what the stage before puts out */
    STAGE_FROM_FD,
    STAGE_SINK, /* what the last producer puts out, each sink all of it */
} StageInput;

typedef enum StageOutput {
    STAGE_OUTPUT_KEPT, /* pipeline_output(), at most BACKUP_OUTPUT_MAX bytes */
    STAGE_TO_NEXT,
    STAGE_TO_FD,
} StageOutput;

typedef struct Stage {
    const char *name; /* for people */
    const char *const *argv;
    const char *directory; /* may be NULL */
    StageInput input;
    StageOutput output;
    int in_fd, out_fd; /* for STAGE_FROM_FD, STAGE_TO_FD */
    int fds[PROCESS_FDS_MAX];
    size_t n_fds;
    bool is_confirmed; /* a sink: a pipe is added to fds; a byte comes from it at the end */
    int status_max;    /* this exit status and lower ones are no failure */
    int (*prepare)(const void *userdata);
    const void *userdata;
} Stage;

typedef struct Pipeline Pipeline;

/* NULL: no memory. `deadline_usec` of CLOCK_BOOTTIME is for all of it. */
Pipeline *pipeline_new(uint64_t deadline_usec);
/* Kills what still runs. */
Pipeline *pipeline_free(Pipeline *p);
DEFINE_CLEANUP(Pipeline *, pipeline_free)

/* Starts a stage; a number for the functions below, or a negative errno. */
int pipeline_add(Pipeline *p, const Stage *s);
/* Waits for the first bytes that the last stage puts out, without taking them: at most `size`, less
 * at its end. */
int pipeline_peek(Pipeline *p, void *buf, size_t size, size_t *ret_size);
/* Waits for the end of all. 0: all stages that are no sinks have ended well, and so has a sink, if
 * there are any; -EIO: they have not, and nothing runs any more; pipeline_error() says why. */
int pipeline_run(Pipeline *p);

/* Called when all producers have ended well, before sinks are told so; a negative errno keeps them
 * from being told, and fails the pipeline. */
void pipeline_set_check(Pipeline *p, int (*check)(void *userdata), void *userdata);

/* Called for each piece that goes to the sinks. */
void pipeline_set_counter(Pipeline *p, void (*on_piece)(size_t size, void *userdata),
                          void *userdata);

const char *pipeline_error(const Pipeline *p);
/* A stage from `first` on that has failed by itself, not by a signal: its number, and words about
 * it, which the caller frees. -ENOENT: there is none. */
int pipeline_find_failed(const Pipeline *p, int first, char **ret_text);
/* Exit status; PROCESS_BY_SIGNAL and the number of a signal. */
int pipeline_status(const Pipeline *p, int stage);
/* What it has put out, with a NUL behind it; the last lines of its standard error. */
const char *pipeline_output(const Pipeline *p, int stage, size_t *ret_size);
const char *pipeline_messages(const Pipeline *p, int stage);
/* Of what went to the sinks. */
uint64_t pipeline_size(const Pipeline *p);
void pipeline_sha256(const Pipeline *p, char ret[static SHA256_HEX_SIZE]);
