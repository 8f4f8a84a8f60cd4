/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <limits.h>

#include "basic/array.h"
#include "basic/terminal.h"

#define GAP 2 /* blanks between columns */
#define WIDTH_MIN_DEFAULT 8
#define WIDTH_FORCED 4 /* an ellipsis and a character, also in ASCII */

typedef struct Cell {
    char *text;
    int width;
    Colour colour;
} Cell;

struct Table {
    TableColumn columns[TABLE_COLUMNS_MAX];
    size_t n_columns;
    Cell *cells;
    size_t n_cells, allocated;
};

Table *table_new(const TableColumn *columns, size_t n) {
    Table *t = calloc(1, sizeof(*t));

    assert(n > 0 && n <= TABLE_COLUMNS_MAX);
    if (!t)
        return NULL;
    memcpy(t->columns, columns, n * sizeof(*columns));
    t->n_columns = n;
    return t;
}

Table *table_free(Table *t) {
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
    return NULL;
}

int table_add(Table *t, const char *const *cells) {
    TRY(array_reserve(&t->cells, &t->allocated, t->n_cells + t->n_columns, SIZE_MAX));
    for (size_t i = 0; i < t->n_columns; i++) {
        const char *text = isempty(cells[i]) ? "-" : cells[i];
        Cell *c = &t->cells[t->n_cells];

        *c = (Cell){.text = terminal_clean(text, strlen(text), terminal_flags(stdout))};
        if (!c->text)
            return -ENOMEM;
        c->width = terminal_width(stdout, c->text);
        t->n_cells++;
    }
    return 0;
}

void table_set_colour(Table *t, size_t column, Colour colour) {
    if (t->n_cells >= t->n_columns)
        t->cells[t->n_cells - t->n_columns + column].colour = colour;
}

static int width_min(const TableColumn *c, bool force) {
    if (force)
        return WIDTH_FORCED;
    return c->flags & COLUMN_SHRINKS ? c->width_min ?: WIDTH_MIN_DEFAULT : INT_MAX;
}

/* -1: the column is left out */
static int sum_of(const int *widths, size_t n) {
    int sum = -GAP;

    for (size_t i = 0; i < n; i++)
        sum += widths[i] < 0 ? 0 : widths[i] + GAP;
    return sum;
}

/* Takes from the widest that can give. False: none can. */
static bool shrink_one(const Table *t, bool force, int *widths) {
    size_t widest = t->n_columns;

    for (size_t i = 0; i < t->n_columns; i++)
        if (widths[i] > width_min(&t->columns[i], force) &&
            (widest == t->n_columns || widths[i] >= widths[widest]))
            widest = i;
    if (widest == t->n_columns)
        return false;
    widths[widest]--;
    return true;
}

static bool drop_one(const Table *t, int *widths) {
    for (size_t i = t->n_columns; i > 0; i--)
        if (t->columns[i - 1].flags & COLUMN_OPTIONAL && widths[i - 1] >= 0) {
            widths[i - 1] = -1;
            return true;
        }
    return false;
}

/* All but the first. */
static bool drop_last(const Table *t, int *widths) {
    for (size_t i = t->n_columns; i > 1; i--)
        if (widths[i - 1] >= 0) {
            widths[i - 1] = -1;
            return true;
        }
    return false;
}

static void take_natural_widths(const Table *t, bool legend, int *widths) {
    for (size_t i = 0; i < t->n_columns; i++) {
        if (widths[i] < 0)
            continue;
        widths[i] = legend ? terminal_width(stdout, t->columns[i].title) : 0;
        for (size_t k = i; k < t->n_cells; k += t->n_columns)
            widths[i] = MAX(widths[i], t->cells[k].width);
    }
}

/* Cuts what can be cut; where that is not enough a column goes, and the others have its room. At
 * last every column is cut, and columns on the right are left out. */
static void fit(const Table *t, int width, bool legend, int *widths) {
    do {
        take_natural_widths(t, legend, widths);
        while (sum_of(widths, t->n_columns) > width && shrink_one(t, false, widths))
            ;
    } while (sum_of(widths, t->n_columns) > width && drop_one(t, widths));
    while (sum_of(widths, t->n_columns) > width &&
           (shrink_one(t, true, widths) || drop_last(t, widths)))
        ;
}

/* Colours are for standard output; a text in memory has none. */
static const char *colour_on(FILE *f, Colour colour) {
    return f == stdout ? screen_get_colour(colour) : "";
}

static void put_cut(FILE *f, const char *text, int width) {
    const bool is_ascii = terminal_flags(f) & TERMINAL_ASCII;
    int columns;
    size_t size = terminal_fit(text, width - (is_ascii ? 3 : 1), SIZE_MAX, &columns);

    (void)fprintf(f, "%.*s%s", (int)size, text, is_ascii ? "..." : "…");
}

static void put_cell(FILE *f, const Cell *c, int width, ColumnFlags flags, bool is_last) {
    const int missing = MAX(width - c->width, 0);

    (void)fprintf(f, "%*s%s", flags & COLUMN_RIGHT ? missing : 0, "", colour_on(f, c->colour));
    if (c->width > width)
        put_cut(f, c->text, width);
    else
        (void)fputs(c->text, f);
    (void)fputs(c->colour != COLOUR_NONE ? colour_on(f, COLOUR_END) : "", f);
    (void)fprintf(f, "%*s", is_last || flags & COLUMN_RIGHT ? 0 : missing, "");
}

static void put_cells(const Table *t, FILE *f, const Cell *cells, const int *widths,
                      bool fill_last) {
    size_t last = t->n_columns - 1;
    bool first = true;

    while (last > 0 && widths[last] < 0)
        last--;
    for (size_t i = 0; i <= last; i++) {
        if (widths[i] < 0)
            continue;
        (void)fprintf(f, "%*s", first ? 0 : GAP, "");
        put_cell(f, &cells[i], widths[i], t->columns[i].flags, i == last && !fill_last);
        first = false;
    }
}

static void put_row(const Table *t, FILE *f, const Cell *cells, const int *widths,
                    const char *line_end) {
    put_cells(t, f, cells, widths, false);
    (void)fputs(line_end, f);
}

/* In reverse; its cells have no colours of their own, which would end that. */
static void put_marked_row(const Table *t, FILE *f, const Cell *cells, const int *widths,
                           const char *line_end) {
    Cell plain[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < t->n_columns; i++)
        plain[i] = (Cell){.text = cells[i].text, .width = cells[i].width};
    (void)fputs(screen_get_colour(COLOUR_REVERSE), f);
    put_cells(t, f, plain, widths, screen_has_colours());
    (void)fprintf(f, "%s%s", screen_get_colour(COLOUR_END), line_end);
}

static void put_titles(const Table *t, FILE *f, const int *widths, const char *line_end) {
    Cell cells[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < t->n_columns; i++)
        cells[i] = (Cell){.text = (char *)(uintptr_t)t->columns[i].title,
                          .width = terminal_width(f, t->columns[i].title),
                          .colour = COLOUR_BOLD};
    put_row(t, f, cells, widths, line_end);
}

void table_print(const Table *t, FILE *f, int width, bool legend, const char *line_end) {
    int widths[TABLE_COLUMNS_MAX] = {};

    fit(t, width, legend, widths);
    if (legend)
        put_titles(t, f, widths, line_end);
    for (size_t i = 0; i < t->n_cells; i += t->n_columns)
        put_row(t, f, t->cells + i, widths, line_end);
}

void table_print_window(const Table *t, FILE *f, int width, size_t first, size_t n, size_t marked,
                        const char *line_end) {
    const size_t n_rows = t->n_cells / t->n_columns;
    int widths[TABLE_COLUMNS_MAX] = {};

    fit(t, width, true, widths);
    put_titles(t, f, widths, line_end);
    for (size_t i = first; i < n_rows && i - first < n; i++)
        (i == marked ? put_marked_row : put_row)(t, f, t->cells + i * t->n_columns, widths,
                                                 line_end);
}
