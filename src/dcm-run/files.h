/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/job-files.h"

/* Takes the files that the executor passed, and gives the script its standard input. An error has
 * been told on standard error. */
int files_take(JobFiles *ret);
