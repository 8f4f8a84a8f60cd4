/* SPDX-License-Identifier: Apache-2.0 */
/* Explains on the script's standard error why it was not started: the exit record has only a
 * number. */
#pragma once

#include <stddef.h>

#define FAILURE_TEXT_MAX 2048

/* `argv` and `error` are those of script_start(). Returns the size of the text, which is cut to
 * FAILURE_TEXT_MAX. */
size_t failure_explain(char *const argv[], int error, char text[static FAILURE_TEXT_MAX]);
