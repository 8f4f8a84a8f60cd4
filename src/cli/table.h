/* SPDX-License-Identifier: Apache-2.0 */
/* Text in aligned columns, no wider than the screen. */
#pragma once

#include <stdio.h>

#include "cli/screen.h"

#define TABLE_COLUMNS_MAX 16

typedef enum ColumnFlags {
    COLUMN_RIGHT = 1 << 0,    /* aligned to the right */
    COLUMN_SHRINKS = 1 << 1,  /* is cut, with an ellipsis, where there is no room */
    COLUMN_OPTIONAL = 1 << 2, /* is left out where cutting is not enough, the last one first */
} ColumnFlags;

typedef struct TableColumn {
    const char *title; /* translated */
    ColumnFlags flags;
    int width_min; /* of one that shrinks; 0: a default */
} TableColumn;

typedef struct Table Table;

/* The columns are copied, their titles must live as long. NULL: no memory. */
Table *table_new(const TableColumn *columns, size_t n);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free)

/* Adds a row of n cells, which are copied; "" and NULL print as "-". -ENOMEM. */
int table_add(Table *t, const char *const *cells);
/* The colour of a cell of the row that was added last. */
void table_set_colour(Table *t, size_t column, Colour colour);
/* Rows of at most `width` columns, INT_MAX for no bound; titles if `legend`. `line_end` is trusted.
 * There are colours on standard output only. */
void table_print(const Table *t, FILE *f, int width, bool legend, const char *line_end);
/* The titles and n rows from `first` on, in columns that are as wide as all rows need, so that they
 * stay where they are while somebody scrolls. The row `marked` is shown in reverse, SIZE_MAX: none;
 * where there are no colours it looks like the others. */
void table_print_window(const Table *t, FILE *f, int width, size_t first, size_t n, size_t marked,
                        const char *line_end);
