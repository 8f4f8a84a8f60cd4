/* SPDX-License-Identifier: Apache-2.0 */
/* Features of commands that depend on installed programs or files. */
#pragma once

#include "site/command-file.h"

/* The PATH of jobs, in which features search programs. */
#define JOB_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Sets is_available of each feature: whether everything that it needs exists now. */
void command_file_find_features(CommandFile *f);
