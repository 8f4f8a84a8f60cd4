/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-line.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/terminal.h"

static char *clean(const Line *l, const char *text) {
    return terminal_clean(text, strlen(text), l->screen->utf8 ? 0 : TERMINAL_ASCII);
}

static int width_of(const Line *l, const char *text) {
    _cleanup_free_ char *shown = clean(l, text);
    int width = 0;

    (void)terminal_fit(strempty(shown), INT_MAX, SIZE_MAX, &width);
    return width;
}

/* Cuts it at the edge of the screen; the terminal must not wrap. */
void line_put(Line *l, const char *text) {
    _cleanup_free_ char *shown = clean(l, text);
    int width = 0;
    size_t size = terminal_fit(strempty(shown), l->screen->columns - l->width,
                               sizeof(l->text) - 1 - l->size, &width);

    (void)mempcpy(l->text + l->size, strempty(shown), size);
    l->size += size;
    l->text[l->size] = 0;
    l->width += width;
}

void line_putf(Line *l, const char *format, ...) {
    char text[LINE_SIZE];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    line_put(l, text);
}

void line_paint(Line *l, const char *code) {
    size_t n = strlen(code);

    if (!l->screen->colour || l->size + n + 1 > sizeof(l->text))
        return;
    (void)mempcpy(l->text + l->size, code, n + 1);
    l->size += n;
}

void line_put_painted(Line *l, const char *code, const char *text) {
    line_paint(l, code);
    line_put(l, text);
    line_paint(l, PLAIN);
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

Line line_begin(const Painter *p) {
    return (Line){.screen = p->screen};
}

void line_end(Painter *p, Line *l) {
    if (p->screen->lines > 0 && p->lines >= p->screen->lines)
        return;
    (void)printf("%s%s", l->text, p->screen->line_end);
    p->lines++;
}

bool painter_is_full(const Painter *p) {
    return p->screen->lines > 0 && p->lines + 1 >= p->screen->lines;
}
