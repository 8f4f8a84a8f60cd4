/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text for people at a terminal, which must not obey it. All text from peers, jobs, files
 * and other programs that our programs print passes through here.
 * A question mark replaces control characters (C0, DEL, C1), characters that change the writing
 * direction, invisible ones, and those unknown to this C library; U+FFFD replaces bytes that are
 * not UTF-8. A letter keeps COMBINING_MAX marks at most, and a text does not begin with one. A
 * terminal whose locale is not UTF-8 gets ASCII alone, with question marks for the rest, because in
 * other encodings the bytes of a harmless letter may be controls. */
#pragma once

#include <stdio.h>

#include "basic/macro.h"

typedef enum TerminalFlags {
    TERMINAL_TABS = 1 << 0,  /* keeps tabs */
    TERMINAL_LINES = 1 << 1, /* keeps line ends; CR LF becomes one */
    TERMINAL_ASCII = 1 << 2, /* keeps ASCII only */
} TerminalFlags;

/* Returns a safe copy of any bytes, which the caller frees; NULL: no memory. */
char *terminal_clean(const char *text, size_t size, TerminalFlags flags);
/* How many bytes of a safe text fit into the given columns and bytes. */
size_t terminal_fit(const char *clean, int columns, size_t size_max, int *ret_columns);
/* The stream is a pipe to a pager, which shows it on the terminal: it is treated as one. */
void terminal_set_shown(FILE *f);
/* TERMINAL_ASCII, if the stream is a terminal whose locale is not UTF-8. */
TerminalFlags terminal_flags(FILE *f);
/* Columns of a text as the stream shows it, in one line and without tabs. */
int terminal_width(FILE *f, const char *text);

/* Prints a text and keeps its tabs. */
void terminal_put(FILE *f, const char *text);
/* Prints a text without tabs, padded with blanks to `width` columns, on the left if `width` < 0. */
void terminal_put_padded(FILE *f, const char *text, int width);
/* Prints one line of n cells, separated by two blanks; each but the last is padded as above.
 * `line_end` is trusted text. */
void terminal_put_row(FILE *f, size_t n, const int *widths, const char *const *cells,
                      const char *line_end);
/* Prints a text of several lines and ends it with a newline; prints nothing for an empty text. */
void terminal_put_block(FILE *f, const char *text);
/* Prints a text of one or several lines, and a newline. Lines break at blanks before they exceed
 * `columns`; the first begins in column `indent`, where the cursor is, and so do the others. */
void terminal_put_wrapped(FILE *f, const char *text, int columns, int indent);
/* The same for a text of one line that begins in column 0; only the following ones are indented. */
void terminal_put_hanging(FILE *f, const char *text, int columns, int indent);
/* Prints one line: only a final newline stays. */
void terminal_printf(FILE *f, const char *format, ...) _printf_(2, 3);
/* Prints JSON; in strings \uXXXX replaces all characters that are unsafe for a terminal. */
void terminal_put_json(FILE *f, const char *json);
/* Prints foreign output: unchanged bytes, unless the stream is a terminal. */
void terminal_pass(FILE *f, const char *data, size_t size);
