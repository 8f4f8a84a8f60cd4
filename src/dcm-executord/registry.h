/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that the executor starts: those of this table and those of commands.d, which it
 * reads itself. Whatever the agent asks for, only these are run, only as they say, and only as the
 * policy lets them. */
#pragma once

#include "command/command-file.h"

typedef struct ExecutorCommand {
    const char *name;
    bool brings_script; /* what is run comes with the order, and so does the user */
    bool fetches;       /* perhaps by a download: Fetch */
    CommandFile *file;  /* that defines it; NULL: it is in the table */
} ExecutorCommand;

/* -ENOENT: no such command; -EINVAL: its file is broken, and *ret_error (the caller frees) says
 * why. */
int registry_find(const char *name, ExecutorCommand *ret, char **ret_error);
void executor_command_done(ExecutorCommand *c);
