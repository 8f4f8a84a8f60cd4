/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one program to its end: a script of a step, or a tool. */
#pragma once

#include "basic/macro.h"

/* The descriptor under which a child finds the key: the path is the argument KEYFILE. */
#define CHILD_KEY_FD 3
#define CHILD_KEY_PATH "/dev/fd/3"

typedef struct Child {
    const char *const *argv;  /* argv[0] is a path, or a name searched in PATH */
    char *const *environment; /* further variables, "NAME=value"; NULL: none */
    int key_fd;               /* sealed memory with the key; -1: none */
    uint64_t timeout_usec;
    /* told of each line of standard output and error, without its end; NULL: nobody is */
    void (*on_line)(const char *line, void *userdata);
    void *userdata;
} Child;

/* Waits for the end. 0 or the exit status, 128 + N after signal N. -ETIMEDOUT: its time was up; it
 * was killed with its process group. -ENOENT: there is no such program. *ret_tail: the last lines
 * it wrote, for an error message, "" if none; the caller frees, also after an exit status. */
int child_run(const Child *c, char **ret_tail);

/* child_run() of argv alone, with the usual time limit; nobody sees the lines. ret_tail may be
 * NULL. */
int child_call(const char *const *argv, char **ret_tail);
