/* SPDX-License-Identifier: Apache-2.0 */
/* What a program writes, as lines of the manager's console: standard output is `info`, standard
 * error `warning`. */
#pragma once

#include "basic/macro.h"

#define CONSOLE_LINE_MAX ((size_t)2048) /* a longer one is several */

typedef struct Console {
    struct {
        char text[CONSOLE_LINE_MAX + 1];
        size_t size;
    } line[2];    /* not complete: of standard output, of standard error */
    bool is_gone; /* nobody takes lines */
} Console;

/* For program_follow(); userdata is a Console. */
void console_take(bool is_error, const char *piece, size_t size, void *userdata);

/* The last lines, if no newline ended them. */
void console_end(Console *c);
