/* SPDX-License-Identifier: Apache-2.0 */
/* A list that a program shows: rows are JSON objects, printed as they are with --json, and as a
 * table for people. */
#pragma once

#include "cli/format.h"
#include "cli/table.h"
#include "proto/json.h"

/* What the options of a program say about its output; both programs embed one. */
typedef struct Output {
    bool json;
    bool no_legend; /* no titles, no sentence at the end */
    bool full;      /* nothing is cut */
    bool no_pager;
    uint32_t lines;      /* 0: all */
    bool all;            /* the same */
    uint64_t since_usec; /* CLOCK_REALTIME; rows that are older are left out */
} Output;

#define LISTING_CELL_SIZE 256

typedef enum ListingType {
    LISTING_TEXT,
    LISTING_TIME, /* µs */
    LISTING_SPAN, /* µs; null: "-" */
    LISTING_BYTES,
} ListingType;

typedef struct ListingColumn {
    const char *title; /* N_() */
    const char *key;   /* of the row; numbers and true or false are shown, too */
    ListingType type;
    ColumnFlags flags;
    int width_min;
    /* what is shown instead of the value of a key */
    void (*format)(struct json_object *row, char buf[static LISTING_CELL_SIZE]);
    Colour (*get_colour)(struct json_object *row);
} ListingColumn;

typedef struct Listing {
    const ListingColumn *columns;
    size_t n_columns;
    const char *time_key; /* of the row's time in µs, for --since; NULL: it has none */
    const char *none;     /* N_(): what is printed where there are no rows */
} Listing;

/* The table of the rows, for those who print it themselves. NULL: no memory. */
Table *listing_make(const Listing *l, struct json_object *rows);
/* Prints the rows of the array. -ENOMEM, which it has reported. */
int listing_print(const Listing *l, struct json_object *rows, const Output *o);
/* Prints an object or array with line breaks, through the pager. */
void output_print_json(struct json_object *o, const Output *output);
/* Begins output that may be longer than the screen. */
void output_begin(const Output *o);

/* Parsers of options: N of --lines, TIME of --since. */
int output_parse_lines(const char *value, void *ret_uint32);
int output_parse_since(const char *value, void *ret_usec);
