/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in which others have a say, for people at a terminal, which must not obey them. All that
 * our programs print of peers, jobs, files and other programs comes through here.
 *
 * A control character (C0, DEL, C1), one that turns the direction of what follows, one that is not
 * seen, and one that this C library does not know is a question mark; a byte that is no UTF-8 is
 * U+FFFD. A letter has COMBINING_MAX marks at most, and a text does not begin with one. A terminal
 * whose locale is not UTF-8 is shown ASCII alone, with question marks for the rest, as in other
 * encodings the bytes of a harmless letter may be controls. */
#pragma once

#include <stdio.h>

#include "basic/macro.h"

typedef enum TerminalFlags {
    TERMINAL_TABS = 1 << 0,  /* tabs stay */
    TERMINAL_LINES = 1 << 1, /* ends of lines stay; CR LF becomes one */
    TERMINAL_ASCII = 1 << 2, /* nothing but ASCII */
} TerminalFlags;

/* Any bytes. The caller frees; NULL: no memory. */
char *terminal_clean(const char *text, size_t size, TerminalFlags flags);
/* The bytes of such a text that fit into so many columns, and into so many bytes. */
size_t terminal_fit(const char *clean, int columns, size_t size_max, int *ret_columns);
/* TERMINAL_ASCII, if the stream is such a terminal. */
TerminalFlags terminal_flags(FILE *f);
/* Columns that any text takes there, in one line and without tabs. */
int terminal_width(FILE *f, const char *text);

/* A text, in which tabs stay. */
void terminal_put(FILE *f, const char *text);
/* One without tabs, with blanks behind it up to that many columns, before it if `width` < 0. */
void terminal_put_padded(FILE *f, const char *text, int width);
/* One line of n cells, with two blanks between them, each padded as above but the last one, and
 * then `line_end`, which is ours. */
void terminal_put_row(FILE *f, size_t n, const int *widths, const char *const *cells,
                      const char *line_end);
/* A text of several lines; ends with an end of line. Empty: nothing. */
void terminal_put_block(FILE *f, const char *text);
/* One line: no end of a line stays but a last one. */
void terminal_printf(FILE *f, const char *format, ...) _printf_(2, 3);
/* JSON, in the strings of which all that is no good for a terminal becomes \uXXXX. */
void terminal_put_json(FILE *f, const char *json);
/* What is the output of something else: any bytes, as they are unless the stream is a terminal. */
void terminal_pass(FILE *f, const char *data, size_t size);
