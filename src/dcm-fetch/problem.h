/* SPDX-License-Identifier: Apache-2.0 */
/* The reason of a failed download, for people; never contains the URL, which may have a
 * password. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

typedef struct Problem {
    char text[ERROR_MESSAGE_MAX];
} Problem;

/* Returns -EIO. A question mark replaces everything that is not printable ASCII. */
int problem_set(Problem *p, const char *format, ...) _printf_(2, 3);
