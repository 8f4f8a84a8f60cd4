/* SPDX-License-Identifier: Apache-2.0 */
/* The script's process. */
#pragma once

#include "basic/macro.h"

typedef struct Script {
    pid_t pid;
    int pid_fd;
    int out_fd, err_fd; /* read ends of its pipes, not blocking */
} Script;

/* Runs argv with pipes as standard output and error. argv[0] is looked up in PATH when it has no
 * slash. An error is why the program could not be started. */
int script_start(char *const argv[], Script *ret);
void script_done(Script *s);

/* Whether script_reap() does not wait. */
bool script_has_ended(const Script *s);

/* 0, or a signal number in *ret_signal; call when pid_fd is readable. */
int script_reap(Script *s, int *ret_status, int *ret_signal);
