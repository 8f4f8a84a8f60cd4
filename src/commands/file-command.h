/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of commands.d: converts the values of arguments into the input of the job. */
#pragma once

#include "job/command.h"
#include "site/command-file.h"

/* Fills a row, whose strings belong to the file. */
void file_command_init(Command *c, const CommandFile *file);

/* Checks that the defaults of the file's arguments are valid for their types. *ret_error (the
 * caller frees) names an invalid one. */
int file_command_check_defaults(const CommandFile *file, char **ret_error);
