/* SPDX-License-Identifier: Apache-2.0 */
/* A command of commands.d: from the values of its arguments to what its job is given. */
#pragma once

#include "command/command-file.h"
#include "job/command.h"

/* Fills a row; its strings are the file's. */
void file_command_init(Command *c, const CommandFile *file);

/* Whether the defaults of the file's arguments are values of their types. *ret_error (the caller
 * frees) says which is not. */
int file_command_check_defaults(const CommandFile *file, char **ret_error);
