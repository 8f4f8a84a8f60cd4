/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: one line of the screen, cut at its edge. */
#pragma once

#include "basic/macro.h"

#define LINE_SIZE 1024

#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define RED "\033[31m"
#define DIM "\033[2m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

typedef struct TopScreen {
    int columns, lines; /* lines 0: unlimited */
    bool colour, utf8;
    const char *line_end;
} TopScreen;

/* A line under construction, and its width without colours. */
typedef struct Line {
    const TopScreen *screen;
    char text[LINE_SIZE];
    size_t size;
    int width;
} Line;

typedef struct Painter {
    const TopScreen *screen;
    int lines; /* printed so far */
} Painter;

Line line_begin(const Painter *p);
/* Cuts the text at the edge of the screen; the terminal must not wrap. */
void line_put(Line *l, const char *text);
void line_putf(Line *l, const char *format, ...) _printf_(2, 3);
void line_put_padded(Line *l, const char *text, int width);
void line_put_right(Line *l, const char *text, int width);
/* Sets the colour of the following text, if colours are on. */
void line_paint(Line *l, const char *code);
void line_put_painted(Line *l, const char *code, const char *text);
/* Prints the line, if the screen has room. */
void line_end(Painter *p, Line *l);
/* Whether at most one more line has room. */
bool painter_is_full(const Painter *p);
