/* SPDX-License-Identifier: Apache-2.0 */
/* Why a download failed, for people: names what was tried and the reason; never a URL, since that
 * may hold a password. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

typedef struct Problem {
    char text[ERROR_MESSAGE_MAX];
} Problem;

/* Returns -EIO. Everything that is not printable ASCII becomes a question mark. */
int problem_set(Problem *p, const char *format, ...) _printf_(2, 3);
