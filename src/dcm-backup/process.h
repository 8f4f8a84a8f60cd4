/* SPDX-License-Identifier: Apache-2.0 */
/* One program of a pipeline. It leads a process group, so that what it starts can be ended with it,
 * and is killed when this process ends, however that ends. */
#pragma once

#include "basic/macro.h"

#define PROCESS_FDS_MAX 4
#define PROCESS_FIRST_FD 3     /* those of ProcessSpec.fds are 3, 4, ... in the program */
#define PROCESS_CANNOT_RUN 127 /* exit status; the reason is in its standard error */
#define PROCESS_BY_SIGNAL 256  /* with the number of a signal: a status that no program can have */

typedef struct ProcessSpec {
    const char *const *argv; /* argv[0] is a path, or a name searched in PATH */
    const char *directory;   /* its working directory; NULL: this one's */
    int in_fd;               /* standard input; -1: nothing */
    int out_fd;              /* standard output */
    int error_fd;            /* standard error */
    int fds[PROCESS_FDS_MAX];
    size_t n_fds;
    /* in the new process, before the program: 0, or a negative errno; NULL */
    int (*prepare)(const void *userdata);
    const void *userdata;
} ProcessSpec;

/* The descriptors stay the caller's. */
int process_start(const ProcessSpec *s, pid_t *ret_pid, int *ret_pid_fd);
/* Waits; the exit status, or PROCESS_BY_SIGNAL and the number of the signal. */
int process_reap(pid_t pid);
void process_kill(pid_t pid);
