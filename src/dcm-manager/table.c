/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/table.h"

#include <time.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/terminal.h"

struct Table {
    size_t n_columns, n_cells, allocated;
    char **cells;
};

void format_time(int64_t usec, char *ret, size_t size) {
    time_t seconds = (time_t)(usec / (int64_t)USEC_PER_SEC);
    struct tm tm;

    if (usec <= 0 || !localtime_r(&seconds, &tm) || strftime(ret, size, "%F %T", &tm) == 0)
        (void)snprintf(ret, size, "-");
}

static int add_cell(Table *t, const char *text) {
    int r = array_reserve(&t->cells, &t->allocated, t->n_cells + 1, SIZE_MAX);

    if (r < 0)
        return r;
    t->cells[t->n_cells] = strdup(isempty(text) ? "-" : text);
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

static int column_width(const Table *t, size_t column, FILE *f) {
    int width = 0;

    for (size_t i = column; i < t->n_cells; i += t->n_columns)
        width = MAX(width, terminal_width(f, t->cells[i]));
    return width;
}

void table_print(const Table *t, FILE *f) {
    int widths[16] = {};

    assert(t->n_columns > 0 && t->n_columns <= ELEMENTSOF(widths));
    for (size_t i = 0; i < t->n_columns; i++)
        widths[i] = column_width(t, i, f);
    for (size_t i = 0; i + t->n_columns <= t->n_cells; i += t->n_columns)
        terminal_put_row(f, t->n_columns, widths, (const char *const *)t->cells + i, "\n");
}
