/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a file of commands.d to what it defines. */
#pragma once

#include "command/command-file.h"

/* -ENOENT: there is no such file. -ERFKILL: it is empty, or a link to /dev/null: the command is
 * masked. -EINVAL: it is not understood, or somebody else than its owner could have written it;
 * *ret_error (the caller frees) says what is wrong. */
int command_file_load(const char *directory, const char *name, CommandFile **ret, char **ret_error);
/* The text of a file. Errors as above. */
int command_file_parse(const char *name, const char *text, CommandFile **ret, char **ret_error);
