/* SPDX-License-Identifier: Apache-2.0 */
/* Features that a command has only where something else is installed. */
#pragma once

#include "command/command-file.h"

/* The PATH of jobs, where programs are looked for. */
#define JOB_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Sets is_available of each feature: whether all that it needs is there now. */
void command_file_find_features(CommandFile *f);
