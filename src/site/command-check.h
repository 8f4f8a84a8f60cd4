/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "site/command-file.h"

/* Finds contradictions between the keys of a file, each of which is valid by itself. Returns the
 * problem, or NULL. */
const char *command_file_check(const CommandFile *f);
