/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"

#include <limits.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "cli/since.h"

void output_begin(const Output *o) {
    if (!o->no_pager)
        screen_page();
}

void output_print_json(struct json_object *o, const Output *output) {
    output_begin(output);
    terminal_put_json(stdout, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE |
                                                                    JSON_C_TO_STRING_SPACED));
    (void)putchar('\n');
}

static void format_value(const ListingColumn *c, struct json_object *value,
                         char buf[static LISTING_CELL_SIZE]) {
    static const char *(*const formats[])(uint64_t usec, char buf[static FORMAT_SIZE]) = {
        [LISTING_TIME] = format_time_short,
        [LISTING_SPAN] = format_span,
    };

    if (!value)
        *buf = 0;
    else if (c->type == LISTING_TEXT)
        (void)utf8_format(buf, LISTING_CELL_SIZE, "%s", json_object_get_string(value));
    else if (c->type == LISTING_BYTES)
        (void)format_bytes(json_object_get_double(value), buf);
    else
        (void)formats[c->type](json_object_get_uint64(value), buf);
}

static int add_row(const Listing *l, Table *t, struct json_object *row) {
    char cells[TABLE_COLUMNS_MAX][LISTING_CELL_SIZE];
    const char *texts[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < l->n_columns; i++) {
        const ListingColumn *c = &l->columns[i];

        texts[i] = cells[i];
        if (c->format)
            c->format(row, cells[i]);
        else
            format_value(c, json_get(row, c->key), cells[i]);
    }
    TRY(table_add(t, texts));
    for (size_t i = 0; i < l->n_columns; i++)
        if (l->columns[i].get_colour)
            table_set_colour(t, i, l->columns[i].get_colour(row));
    return 0;
}

Table *listing_make(const Listing *l, struct json_object *rows) {
    _cleanup_(table_freep) Table *t = NULL;
    TableColumn columns[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < l->n_columns; i++)
        columns[i] = (TableColumn){.title = _(l->columns[i].title),
                                   .flags = l->columns[i].flags,
                                   .width_min = l->columns[i].width_min};
    t = table_new(columns, l->n_columns);
    for (size_t i = 0; t && i < json_object_array_length(rows); i++)
        if (add_row(l, t, json_object_array_get_idx(rows, i)) < 0)
            return NULL;
    return TAKE_PTR(t);
}

static void drop_older(const Listing *l, struct json_object *rows, uint64_t since_usec) {
    if (!l->time_key || since_usec == 0)
        return;
    for (size_t i = json_object_array_length(rows); i > 0; i--)
        if (json_object_get_uint64(json_get(json_object_array_get_idx(rows, i - 1), l->time_key)) <
            since_usec)
            (void)json_object_array_del_idx(rows, i - 1, 1);
}

int listing_print(const Listing *l, struct json_object *rows, const Output *o) {
    _cleanup_(table_freep) Table *t = NULL;

    drop_older(l, rows, o->since_usec);
    if (o->json) {
        output_print_json(rows, o);
        return 0;
    }
    if (json_object_array_length(rows) == 0) {
        if (!o->no_legend)
            (void)printf("%s\n", _(l->none));
        return 0;
    }
    t = listing_make(l, rows);
    if (!t) {
        (void)fprintf(stderr, _("Out of memory\n"));
        return -ENOMEM;
    }
    output_begin(o);
    table_print(t, stdout, o->full ? INT_MAX : screen_get_width(), !o->no_legend, "\n");
    return 0;
}

int output_parse_lines(const char *value, void *ret_uint32) {
    unsigned long n;
    char *end;

    errno = 0;
    n = strtoul(value, &end, 10);
    if (errno != 0 || *end || end == value || *value == '-' || n > UINT32_MAX) {
        terminal_printf(stderr, _("Not a number: %s\n"), value);
        return -EINVAL;
    }
    *(uint32_t *)ret_uint32 = (uint32_t)n;
    return 0;
}

int output_parse_since(const char *value, void *ret_usec) {
    if (since_parse(value, now_usec(CLOCK_REALTIME), ret_usec) >= 0)
        return 0;
    terminal_printf(stderr, _("Not a time: %s; for example \"2026-11-22 20:01\", yesterday, -1h\n"),
                    value);
    return -EINVAL;
}
