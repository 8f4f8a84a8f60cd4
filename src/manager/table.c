/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/table.h"

#include <time.h>
#include <wchar.h>

#include "basic/bounds.h"
#include "proto/text.h"

struct Table {
    size_t n_columns, n_cells, allocated;
    char **cells;
};

/* C1 controls are two bytes in UTF-8: c2 80 to c2 9f */
char *text_for_terminal(const char *text, bool keep_tabs) {
    char *copy = NULL;
    unsigned char *p;

    if (utf8_replace_invalid(text, strlen(text), &copy) < 0)
        return NULL;
    for (p = (unsigned char *)copy; *p; p++) {
        if ((*p < 0x20 && !(keep_tabs && *p == '\t')) || *p == 0x7f)
            *p = '?';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            p[0] = p[1] = '?';
    }
    return copy;
}

void format_time(int64_t usec, char *ret, size_t size) {
    time_t seconds = (time_t)(usec / (int64_t)USEC_PER_SEC);
    struct tm tm;

    if (usec <= 0 || !localtime_r(&seconds, &tm) || strftime(ret, size, "%F %T", &tm) == 0)
        (void)snprintf(ret, size, "-");
}

static int add_cell(Table *t, const char *text) {
    if (t->n_cells == t->allocated) {
        size_t wanted = MAX((size_t)64, 2 * t->allocated);
        char **grown = realloc(t->cells, wanted * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        t->cells = grown;
        t->allocated = wanted;
    }
    t->cells[t->n_cells] = text_for_terminal(isempty(text) ? "-" : text, false);
    return t->cells[t->n_cells++] ? 0 : -ENOMEM;
}

Table *table_new(size_t n, const char *const *titles) {
    Table *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->n_columns = n;
    return table_add(t, titles) < 0 ? table_free(t) : t;
}

Table *table_free(Table *t) {
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
    return NULL;
}

int table_add(Table *t, const char *const *cells) {
    int r = 0;

    for (size_t i = 0; i < t->n_columns && r >= 0; i++)
        r = add_cell(t, cells[i]);
    return r;
}

/* Columns on the screen: characters, as far as the locale can tell. */
static size_t text_width(const char *text) {
    size_t n = mbstowcs(NULL, text, 0);

    return n == (size_t)-1 ? strlen(text) : n;
}

static size_t column_width(const Table *t, size_t column) {
    size_t width = 0;

    for (size_t i = column; i < t->n_cells; i += t->n_columns)
        width = MAX(width, text_width(t->cells[i]));
    return width;
}

void table_print(const Table *t, FILE *f) {
    size_t widths[16] = {};

    assert(t->n_columns > 0 && t->n_columns <= ELEMENTSOF(widths));
    for (size_t i = 0; i < t->n_columns; i++)
        widths[i] = column_width(t, i);
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->n_columns;
        bool last = column + 1 == t->n_columns;

        (void)fputs(t->cells[i], f);
        (void)fprintf(f, "%*s", last ? 0 : (int)(widths[column] - text_width(t->cells[i]) + 2), "");
        if (last)
            (void)fputc('\n', f);
    }
}
