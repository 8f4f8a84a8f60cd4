/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-line.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/terminal.h"

#define RESERVE 16 /* bytes for an ellipsis and the end of a colour */

static char *clean(const Line *l, const char *text) {
    return terminal_clean(text, strlen(text), l->screen->utf8 ? 0 : TERMINAL_ASCII);
}

static int width_of(const Line *l, const char *text) {
    _cleanup_free_ char *shown = clean(l, text);
    int width = 0;

    (void)terminal_fit(strempty(shown), INT_MAX, SIZE_MAX, &width);
    return width;
}

static const char *ellipsis(const Line *l) {
    return l->screen->utf8 ? "…" : "...";
}

static void add(Line *l, const char *text, size_t size) {
    (void)mempcpy(l->text + l->size, text, size);
    l->size += size;
    l->text[l->size] = 0;
}

static void cut(Line *l) {
    const char *end = screen_get_colour(COLOUR_END);

    l->size = l->cut;
    add(l, ellipsis(l), strlen(ellipsis(l)));
    add(l, end, strlen(end));
    l->width = l->screen->columns;
    l->is_cut = true;
}

void line_put(Line *l, const char *text) {
    _cleanup_free_ char *shown = clean(l, text);
    const char *s = strempty(shown);
    const size_t bytes = sizeof(l->text) - RESERVE - l->size;
    const int columns = l->screen->columns - l->width;
    const int before_ellipsis = columns - width_of(l, ellipsis(l));
    int width = 0;
    size_t size;

    if (l->is_cut || isempty(s))
        return;
    size = terminal_fit(s, MAX(columns, 0), bytes, &width);
    if (before_ellipsis >= 0) /* else an earlier text has the place */
        l->cut = l->size + terminal_fit(s, before_ellipsis, bytes, &(int){0});
    add(l, s, size);
    l->width += width;
    if (s[size])
        cut(l);
}

void line_putf(Line *l, const char *format, ...) {
    char text[LINE_SIZE];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    line_put(l, text);
}

void line_paint(Line *l, Colour colour) {
    const char *code = screen_get_colour(colour);

    if (!l->is_cut && l->size + strlen(code) + RESERVE < sizeof(l->text))
        add(l, code, strlen(code));
}

void line_put_coloured(Line *l, Colour colour, const char *text) {
    line_paint(l, colour);
    line_put(l, text);
    line_paint(l, COLOUR_END);
}

void line_put_padded(Line *l, const char *text, int width) {
    line_put(l, text);
    for (int i = width_of(l, text); i < width; i++)
        line_put(l, " ");
}

void line_put_right(Line *l, const char *text, int width) {
    for (int i = width_of(l, text); i < width; i++)
        line_put(l, " ");
    line_put(l, text);
}

bool line_has_room(const Line *l, const char *text) {
    return width_of(l, text) <= l->screen->columns - l->width - width_of(l, ellipsis(l));
}

Line line_begin(const Painter *p) {
    return (Line){.screen = p->screen};
}

void line_end(Painter *p, Line *l) {
    if (painter_get_room(p) == 0)
        return;
    (void)printf("%s%s", l->text, p->screen->line_end);
    p->lines++;
}

int painter_get_room(const Painter *p) {
    return p->screen->lines > 0 ? MAX(p->screen->lines - p->lines, 0) : INT_MAX;
}
