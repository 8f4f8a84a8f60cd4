/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that the executor starts: those of this table, and those of commands.d, which it
 * reads itself. Whatever the agent orders, only these commands run, only as defined, and only as
 * the policy allows. */
#pragma once

#include "site/command-file.h"

typedef struct ExecutorCommand {
    const char *name;
    bool brings_script; /* script and user come with the order */
    bool fetches;       /* the script may also be downloaded: Fetch */
    CommandFile *file;  /* its definition; NULL: in the table */
    bool is_shipped;    /* the file is a package's, not the administrator's */
} ExecutorCommand;

/* -ENOENT: no such command; -EINVAL: its file is broken, and *ret_error (the caller frees) gives
 * the reason. */
int registry_find(const char *name, ExecutorCommand *ret, char **ret_error);
void executor_command_done(ExecutorCommand *c);
