/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the package manager's programs. A change of the package database is never killed: when this
 * program is asked to end, the tool alone gets the signal after which it ends in order, and is
 * waited for. */
#pragma once

#include "basic/macro.h"

#define TOOL_STATUS_FD "3"

typedef struct Tool {
    const char *const *argv; /* argv[0] is searched in PATH */
    int cancel_signal;       /* 0: it is waited for, whatever happens */
    /* told of each line of standard output and error; NULL: nobody is */
    void (*on_line)(const char *line, void *userdata);
    /* told of each line of descriptor 3; NULL: it has none */
    void (*on_status)(char *line, void *userdata);
    void *userdata;
} Tool;

/* From now on SIGTERM, SIGINT and SIGHUP are requests to end. */
int tool_begin(void);
/* Whether one has come. */
bool tool_is_cancelled(void);
/* Waits, at most so long. True: one has come. */
bool tool_pause(unsigned msec);

/* Waits for the end. The exit status, 128 + N after signal N; -ENOENT: there is no such program. */
int tool_run(const Tool *t);
/* The same; *ret has standard output, and standard error goes to `on_line`. The caller frees. */
int tool_read(const Tool *t, char **ret);
