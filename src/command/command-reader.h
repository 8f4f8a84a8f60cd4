/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a command's file, and where their values go. */
#pragma once

#include "command/command-file.h"

/* Of a file whose keys are understood one by one: what is wrong with them together, or NULL. */
const char *command_file_check(const CommandFile *f);
