/* SPDX-License-Identifier: Apache-2.0 */
/* Why a script was not started, in words, for its standard error: the exit record has room for a
 * number alone. */
#pragma once

#include <stddef.h>

#define FAILURE_TEXT_MAX 2048

/* What script_start() has tried, and its error. Returns the size of the text, which is cut to
 * FAILURE_TEXT_MAX. */
size_t failure_explain(char *const argv[], int error, char text[static FAILURE_TEXT_MAX]);
