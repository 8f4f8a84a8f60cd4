/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl stats: the newest overview, or the kept samples of one statistic; for people, as
 * JSON, or as CSV (RFC 4180). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/i18n.h"
#include "basic/time-util.h"
#include "dcm-agentctl/samples.h"
#include "dcm-agentctl/verbs.h"

#define PATIENCE_USEC (5 * USEC_PER_SEC)
#define COLUMNS_MAX 16

/* --- for people --------------------------------------------------------------------------------
 */

static void print_plain(const HealthSample *s, const SampleUnits *units) {
    char text[VALUE_SIZE];

    for (size_t i = 0; i < s->n; i++)
        if (isempty(s->values[i].row)) {
            sample_format(s->values[i].value,
                          sample_units_find(units, s->type, s->values[i].key, false), text);
            (void)fputs("  ", stdout);
            terminal_put_padded(stdout, s->values[i].key, 18);
            (void)putchar(' ');
            terminal_put_padded(stdout, text, -12);
            (void)putchar('\n');
        }
}

/* The keys of the rows in order of appearance. */
static size_t find_columns(const HealthSample *s, const char *ret[static COLUMNS_MAX]) {
    size_t n = 0, k;

    for (size_t i = 0; i < s->n; i++) {
        if (isempty(s->values[i].row))
            continue;
        for (k = 0; k < n && !streq(ret[k], s->values[i].key); k++)
            ;
        if (k == n && n < COLUMNS_MAX)
            ret[n++] = s->values[i].key;
    }
    return n;
}

#define ROW_WIDTH_MIN 12
#define ROW_WIDTH_MAX 48
#define VALUE_WIDTH_MIN 9
#define INDENT 2 /* of a line, and between columns */

typedef struct RowTable {
    const HealthSample *sample;
    const SampleUnits *units;
    const char *columns[COLUMNS_MAX];
    int widths[COLUMNS_MAX], row_width;
    size_t n;
} RowTable;

static void format_cell(const RowTable *t, const char *row, size_t column,
                        char buf[static VALUE_SIZE]) {
    const char *key = t->columns[column];

    sample_format(health_sample_get(t->sample, row, key),
                  sample_units_find(t->units, t->sample->type, key, true), buf);
}

/* The rows are in order: one begins where its name differs from the last. */
static bool begins_row(const HealthSample *s, size_t i, const char **row) {
    if (isempty(s->values[i].row) || streq(s->values[i].row, *row))
        return false;
    *row = s->values[i].row;
    return true;
}

static void measure_table(RowTable *t) {
    const HealthSample *s = t->sample;
    const char *row = "";
    char text[VALUE_SIZE];

    t->row_width = ROW_WIDTH_MIN;
    for (size_t k = 0; k < t->n; k++)
        t->widths[k] = MAX(terminal_width(stdout, t->columns[k]), VALUE_WIDTH_MIN);
    for (size_t i = 0; i < s->n; i++) {
        if (!begins_row(s, i, &row))
            continue;
        t->row_width = MAX(t->row_width, terminal_width(stdout, row));
        for (size_t k = 0; k < t->n; k++) {
            format_cell(t, row, k, text);
            t->widths[k] = MAX(t->widths[k], terminal_width(stdout, text));
        }
    }
    t->row_width = MIN(t->row_width, ROW_WIDTH_MAX);
    if (t->n > 0) /* the first column has room in any case */
        t->row_width = MIN(t->row_width, MAX(screen_get_width() - t->widths[0] - 2 * INDENT, 4));
}

/* Behind the last column that still has room; one has in any case. */
static size_t fit_columns(const RowTable *t, size_t from) {
    int left = screen_get_width() - INDENT - t->row_width;
    size_t to = from;

    for (; to < t->n && (to == from || t->widths[to] + INDENT <= left); to++)
        left -= t->widths[to] + INDENT;
    return to;
}

static void put_right(const char *text, int width) {
    (void)printf("%*s", INDENT, "");
    terminal_put_padded(stdout, text, -width);
}

/* A name that is too long has a line of its own. */
static void put_row_name(const RowTable *t, const char *row) {
    (void)printf("\n%*s", INDENT, "");
    terminal_put_padded(stdout, row, t->row_width);
    if (terminal_width(stdout, row) > t->row_width)
        (void)printf("\n%*s", INDENT + t->row_width, "");
}

static void print_columns(const RowTable *t, size_t from, size_t to) {
    const HealthSample *s = t->sample;
    const char *row = "";
    char text[VALUE_SIZE];

    (void)printf("%*s%-*s", INDENT, "", t->row_width, "");
    for (size_t k = from; k < to; k++)
        put_right(t->columns[k], t->widths[k]);
    for (size_t i = 0; i < s->n; i++) {
        if (!begins_row(s, i, &row))
            continue;
        put_row_name(t, row);
        for (size_t k = from; k < to; k++) {
            format_cell(t, row, k, text);
            put_right(text, t->widths[k]);
        }
    }
    (void)putchar('\n');
}

/* Columns without room follow below, with the names of the rows again. */
static void print_rows(const HealthSample *s, const SampleUnits *units) {
    RowTable t = {.sample = s, .units = units};

    t.n = find_columns(s, t.columns);
    measure_table(&t);
    for (size_t from = 0, to; from < t.n; from = to) {
        to = fit_columns(&t, from);
        print_columns(&t, from, to);
    }
}

static void print_samples(const HealthSamples *list, const SampleUnits *units) {
    char time[FORMAT_SIZE];

    for (size_t i = 0; i < list->n; i++) {
        const HealthSample *s = &list->samples[i];

        if (s->n == 0) /* this machine has none of these */
            continue;
        (void)fputs(i > 0 ? "\n" : "", stdout);
        terminal_printf(stdout, "%s  %s\n", s->type, format_time_short(s->time_usec, time));
        print_plain(s, units);
        print_rows(s, units);
    }
}

/* --- for programs ------------------------------------------------------------------------------
 */

static struct json_object *number(double value) {
    char text[32];

    if (value == floor(value) && fabs(value) < 9e15)
        return json_object_new_int64((int64_t)value);
    (void)snprintf(text, sizeof(text), "%.10g", value);
    return json_object_new_double_s(value, text);
}

/* {"type": ..., "timestamp_usec": ..., KEY: ..., "rows": {ROW: {KEY: ...}}} */
static struct json_object *sample_to_json(const HealthSample *s) {
    struct json_object *o = json_object_new_object(), *rows = NULL, *row;

    (void)json_object_object_add(o, "type", json_object_new_string(s->type));
    (void)json_object_object_add(o, "timestamp_usec", json_object_new_uint64(s->time_usec));
    for (size_t i = 0; i < s->n; i++) {
        const SampleValue *v = &s->values[i];

        if (isempty(v->row)) {
            (void)json_object_object_add(o, v->key, number(v->value));
            continue;
        }
        if (!rows) {
            rows = json_object_new_object();
            (void)json_object_object_add(o, "rows", rows);
        }
        if (!json_object_object_get_ex(rows, v->row, &row)) {
            row = json_object_new_object();
            (void)json_object_object_add(rows, v->row, row);
        }
        if (!isempty(v->key))
            (void)json_object_object_add(row, v->key, number(v->value));
    }
    return o;
}

static void print_json(const Context *c, const HealthSamples *list) {
    _cleanup_json_ struct json_object *array = json_object_new_array();

    for (size_t i = 0; i < list->n; i++)
        (void)json_object_array_add(array, sample_to_json(&list->samples[i]));
    output_print_json(array, &c->output);
}

static void print_quoted(const char *text) {
    const char *quote;

    (void)putchar('"');
    for (; (quote = strchr(text, '"')); text = quote + 1) {
        terminal_pass(stdout, text, (size_t)(quote - text));
        (void)fputs("\"\"", stdout);
    }
    terminal_pass(stdout, text, strlen(text));
    (void)putchar('"');
}

static void print_cell(const char *text) {
    if (strpbrk(text, ",\"\r\n"))
        print_quoted(text);
    else
        terminal_pass(stdout, text, strlen(text));
}

static void print_csv(const HealthSamples *list) {
    (void)printf("time,type,row,key,value\n");
    for (size_t i = 0; i < list->n; i++)
        for (size_t k = 0; k < list->samples[i].n; k++) {
            const HealthSample *s = &list->samples[i];
            const SampleValue *v = &s->values[k];

            (void)printf("%" PRIu64 ".%06" PRIu64 ",", s->time_usec / USEC_PER_SEC,
                         s->time_usec % USEC_PER_SEC);
            print_cell(s->type);
            (void)putchar(',');
            print_cell(v->row);
            (void)putchar(',');
            print_cell(v->key);
            (void)printf(",%.10g\n", v->value);
        }
}

/* -----------------------------------------------------------------------------------------------
 */

static bool is_whole(const HealthSamples *list) {
    return health_samples_find(list, "system-stats") && health_samples_find(list, "memory");
}

/* If the agent does not sample by itself, or has just started, subscribes until the samples arrive.
 * The subscription ends with the connection. */
static int load_newest(const Context *c, sd_bus_error *error, HealthSamples *ret) {
    uint64_t deadline = now_usec(CLOCK_BOOTTIME) + PATIENCE_USEC, now;
    bool subscribed = false;
    int r;

    for (;;) {
        r = health_samples_load(c, NULL, 1, error, ret);
        now = now_usec(CLOCK_BOOTTIME);
        if (r < 0 || is_whole(ret) || now >= deadline)
            return r;
        health_samples_done(ret);
        r = subscribed ? 0 : health_subscribe(c, NULL, NULL, error);
        subscribed = true;
        if (r >= 0)
            r = sd_bus_wait(c->bus, deadline - now);
        while (r >= 0 && (r = sd_bus_process(c->bus, NULL)) > 0)
            ;
        if (r < 0)
            return r;
    }
}

/* The samples stay in their order. */
static void drop_older(HealthSamples *list, uint64_t since_usec) {
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        if (list->samples[i].time_usec < since_usec)
            health_sample_done(&list->samples[i]);
        else
            list->samples[n++] = list->samples[i];
    list->n = n;
}

int verb_stats(const Context *c, int argc, char *argv[]) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(health_samples_done) HealthSamples list = {};
    _cleanup_(sample_units_done) SampleUnits units = {};
    int r;

    r = argc > 0 ? health_samples_load(c, argv[0], c->output.lines ?: UINT32_MAX, &error, &list)
                 : load_newest(c, &error, &list);
    if (r >= 0 && !c->output.json && !c->csv)
        r = sample_units_load(c, &error, &units);
    if (r < 0)
        return ctl_report(c, &error, r);
    drop_older(&list, c->output.since_usec);
    if (c->output.json)
        print_json(c, &list);
    else if (c->csv)
        print_csv(&list);
    else if (list.n == 0)
        (void)printf(_("There is no sample yet.\n"));
    else {
        output_begin(&c->output);
        print_samples(&list, &units);
    }
    return 0;
}
