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

static int widest_row(const HealthSample *s) {
    int width = 12;

    for (size_t i = 0; i < s->n; i++)
        width = MAX(width, terminal_width(stdout, s->values[i].row));
    return MIN(width, 48);
}

static void put_right(const char *text) {
    (void)fputs("  ", stdout);
    terminal_put_padded(stdout, text, -12);
}

static void print_rows(const HealthSample *s, const SampleUnits *units) {
    const char *columns[COLUMNS_MAX], *row = "";
    size_t n = find_columns(s, columns);
    int width = widest_row(s);
    char text[VALUE_SIZE];

    if (n == 0)
        return;
    (void)printf("  %-*s", width, "");
    for (size_t k = 0; k < n; k++)
        put_right(columns[k]);
    for (size_t i = 0; i < s->n; i++) {
        if (isempty(s->values[i].row) || streq(s->values[i].row, row))
            continue;
        row = s->values[i].row;
        (void)printf("\n  ");
        terminal_put_padded(stdout, row, width);
        for (size_t k = 0; k < n && !isempty(columns[k]); k++) {
            sample_format(health_sample_get(s, row, columns[k]),
                          sample_units_find(units, s->type, columns[k], true), text);
            put_right(text);
        }
    }
    (void)putchar('\n');
}

static void print_samples(const HealthSamples *list, const SampleUnits *units) {
    char time[FORMAT_SIZE];

    for (size_t i = 0; i < list->n; i++) {
        const HealthSample *s = &list->samples[i];

        if (s->n == 0) /* this machine has none of these */
            continue;
        (void)fputs(i > 0 ? "\n" : "", stdout);
        terminal_printf(stdout, "%s  %s\n", s->type, format_time(s->time_usec, time));
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
