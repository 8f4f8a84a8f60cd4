/* SPDX-License-Identifier: Apache-2.0 */
/* The script's process. */
#pragma once

#include "basic/macro.h"

typedef struct Script {
    pid_t pid;
    int pid_fd;
    int out_fd, err_fd; /* read ends of its pipes, non-blocking */
} Script;

/* Runs argv with pipes as standard output and error; looks argv[0] up in PATH if it has no slash.
 * Returns the errno if the program could not be started. */
int script_start(char *const argv[], Script *ret);
void script_done(Script *s);

/* Whether script_reap() would not block. */
bool script_has_ended(const Script *s);

/* Call it when pid_fd is readable. Sets *ret_signal to 0 or the signal that killed the process. */
int script_reap(Script *s, int *ret_status, int *ret_signal);
