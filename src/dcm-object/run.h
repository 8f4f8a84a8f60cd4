/* SPDX-License-Identifier: Apache-2.0 */
/* One run of rclone in the session's unit. */
#pragma once

#include "dcm-object/session.h"

#define SIZE_UNKNOWN UINT64_MAX

/* Sees a piece of what passes. A negative errno ends the run. */
typedef int (*RunHandler)(void *userdata, const void *data, size_t size);

typedef struct RunSpec {
    char **arguments;     /* without the program */
    int input_fd;         /* what rclone reads; -1: nothing */
    uint64_t input_size;  /* how much that will be; SIZE_UNKNOWN */
    RunHandler on_input;  /* may be NULL */
    RunHandler on_output; /* NULL: output is ignored */
    void *userdata;
} RunSpec;

typedef struct RunResult {
    int exit_status;     /* of rclone; a signal counts as 128 and its number */
    uint64_t input_size; /* of what was read */
    int error;           /* of a handler, or of reading the input: a negative errno */
    Evidence evidence;
} RunResult;

/* Returns 0 when rclone has ended; what that means is the caller's to find out. -ECANCELED: a
 * handler or the input failed. -EIO: there is no result; with the failure. After an error the
 * session has no unit. */
int run_rclone(Session *s, const RunSpec *spec, RunResult *ret, Failure *f);
