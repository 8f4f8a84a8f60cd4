/* SPDX-License-Identifier: Apache-2.0 */
/* All commands of this agent: the built-in ones, and those of commands.d. There is one list per
 * process. */
#pragma once

#include "job/command.h"

/* Returns NULL for an unknown command. */
const Command *command_find(const char *name);
/* In alphabetical order; valid until the next command_list_load(). */
const Command *const *command_list(size_t *ret_n);

/* A file without a valid command, and the reason. */
typedef struct BrokenCommand {
    char *file;
    char *problem;
} BrokenCommand;

const BrokenCommand *command_list_broken(size_t *ret_n);

/* Reads the directories again; a file of `directory` shadows one of the same name in the shipped
 * directory. 1: the set of commands has changed; 0: it is the same. A broken file is not an
 * error. */
int command_list_load(const char *directory, const char *shipped_directory);
/* -EINVAL: a file of commands.d defines no command; *ret_error (the caller frees) says why. */
int command_list_check_file(const char *path, char **ret_error);
/* Frees the list. */
void command_list_clear(void);
