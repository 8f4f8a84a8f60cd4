/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/job-files.h"

/* Receives the files that the executor passed, and sets the script's standard input. Prints errors
 * on standard error. */
int files_take(JobFiles *ret);
