/* SPDX-License-Identifier: Apache-2.0 */
/* Parses files of commands.d. */
#pragma once

#include "site/command-file.h"

/* -ENOENT: no such file. -ERFKILL: the file is empty, or a link to /dev/null, and so masks the
 * command. -EINVAL: the file is invalid, or others than its owner can write it; *ret_error (the
 * caller frees) gives the reason. */
int command_file_load(const char *directory, const char *name, CommandFile **ret, char **ret_error);
/* The line that such a reason begins with, 0: none; *ret_rest is what follows it. */
unsigned command_error_line(const char *error, const char **ret_rest);
/* Parses the text of a file; errors as above. */
int command_file_parse(const char *name, const char *text, CommandFile **ret, char **ret_error);
