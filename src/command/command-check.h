/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "command/command-file.h"

/* What is wrong with the keys of a file together, each of which is understood; NULL: nothing. */
const char *command_file_check(const CommandFile *f);
