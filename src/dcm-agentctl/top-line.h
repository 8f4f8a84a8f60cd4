/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: one line of the screen, cut at its edge. */
#pragma once

#include "cli/screen.h"

#define LINE_SIZE 4096

typedef struct TopScreen {
    int columns; /* INT_MAX: unlimited */
    int lines;   /* 0: unlimited */
    bool utf8;
    const char *line_end;
} TopScreen;

/* A line under construction, and its width without colours. */
typedef struct Line {
    const TopScreen *screen;
    char text[LINE_SIZE];
    size_t size;
    int width;
    size_t cut; /* where an ellipsis begins, if the line becomes too long */
    bool is_cut;
} Line;

typedef struct Painter {
    const TopScreen *screen;
    int lines; /* printed so far */
} Painter;

Line line_begin(const Painter *p);
/* Ends the line with an ellipsis where the text is too long for the screen; what follows is left
 * out. */
void line_put(Line *l, const char *text);
void line_putf(Line *l, const char *format, ...) _printf_(2, 3);
void line_put_padded(Line *l, const char *text, int width);
void line_put_right(Line *l, const char *text, int width);
void line_put_coloured(Line *l, Colour colour, const char *text);
/* The colour of the following text, until COLOUR_END. */
void line_paint(Line *l, Colour colour);
/* Whether the text and an ellipsis have room. */
bool line_has_room(const Line *l, const char *text);
/* Prints the line, if the screen has room. */
void line_end(Painter *p, Line *l);
/* Lines that the screen has left; INT_MAX: unlimited. */
int painter_get_room(const Painter *p);
