/* SPDX-License-Identifier: Apache-2.0 */
/* All commands of this agent: its own, and those of commands.d. There is one list. */
#pragma once

#include "job/command.h"

/* NULL: unknown */
const Command *command_find(const char *name);
/* In alphabetical order; valid until the next command_list_load(). */
const Command *const *command_list(size_t *ret_n);

/* A file that defines no command, and why. */
typedef struct BrokenCommand {
    char *file;
    char *problem;
} BrokenCommand;

const BrokenCommand *command_list_broken(size_t *ret_n);

/* Reads the directories anew, the shipped one last; a file of an earlier one shadows one of the
 * same name. 1: there are other commands than before; 0: the same ones. A broken file is no error.
 */
int command_list_load(const char *directory, const char *shipped_directory);
/* Of the directory nothing is left. */
void command_list_clear(void);
