/* SPDX-License-Identifier: Apache-2.0 */
#include "health/sample.h"

#include <math.h>
#include <stdio.h>

#include "basic/time-util.h"
#include "proto/text.h"

struct Sample {
    uint64_t realtime_usec;
    uint32_t size, n_values, n_rows, n_row_values;
    double
        values[]; /* of the sample, then of each row; then the names of the rows, each with a NUL */
};

int sample_new(const StatType *t, const Measure *m, uint64_t realtime_usec, Sample **ret) {
    size_t n = t->n_fields + m->n_rows * t->n_row_fields, names = 0, size;
    double *value;
    char *name;
    Sample *s;

    for (size_t i = 0; i < m->n_rows; i++)
        names += strlen(m->rows[i].name) + 1;
    size = sizeof(*s) + n * sizeof(double) + names;
    if (size > UINT32_MAX)
        return -EFBIG;
    s = malloc(size);
    if (!s)
        return -ENOMEM;
    *s = (Sample){
        .realtime_usec = realtime_usec,
        .size = (uint32_t)size,
        .n_values = (uint32_t)t->n_fields,
        .n_rows = (uint32_t)m->n_rows,
        .n_row_values = (uint32_t)t->n_row_fields,
    };
    memcpy(s->values, m->values, t->n_fields * sizeof(double));
    value = s->values + t->n_fields;
    name = (char *)(s->values + n);
    for (size_t i = 0; i < m->n_rows; i++) {
        memcpy(value, m->rows[i].values, t->n_row_fields * sizeof(double));
        value += t->n_row_fields;
        name = stpcpy(name, m->rows[i].name) + 1;
    }
    *ret = s;
    return 0;
}

Sample *sample_free(Sample *s) {
    free(s);
    return NULL;
}

uint64_t sample_get_time(const Sample *s) {
    return s->realtime_usec;
}

size_t sample_get_size(const Sample *s) {
    return s->size;
}

double sample_get(const Sample *s, size_t field) {
    return field < s->n_values ? s->values[field] : NAN;
}

size_t sample_get_n_rows(const Sample *s) {
    return s->n_rows;
}

const char *sample_get_row_name(const Sample *s, size_t row) {
    const char *name =
        (const char *)(s->values + s->n_values + (size_t)s->n_rows * s->n_row_values);

    for (size_t i = 0; i < row; i++)
        name = sample_next_row_name(name);
    return name;
}

const char *sample_next_row_name(const char *name) {
    return name + strlen(name) + 1;
}

double sample_get_in_row(const Sample *s, size_t row, size_t field) {
    if (row >= s->n_rows || field >= s->n_row_values)
        return NAN;
    return s->values[s->n_values + row * s->n_row_values + field];
}

/* Prints only significant digits; json-c would print seventeen. */
static struct json_object *json_from_double(double value, int digits) {
    char text[64];

    if (digits < 0)
        return json_object_new_int64(value < 0x1p63 ? (int64_t)value : INT64_MAX);
    (void)snprintf(text, sizeof(text), "%.*f", digits, value);
    return strlen(text) < 40 ? json_object_new_double_s(value, text)
                             : json_object_new_double(value);
}

static int add_fields(struct json_object *o, const StatField *fields, size_t n,
                      const double *values) {
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            continue;
        TRY(json_add(o, fields[i].key, json_from_double(values[i], fields[i].digits)));
    }
    return 0;
}

static int row_to_json(const Sample *s, const StatType *t, size_t row, const char *name,
                       struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    _cleanup_free_ char *valid = NULL;
    int r;

    if (!o)
        return -ENOMEM;
    r = utf8_replace_invalid(name, strlen(name), &valid);
    if (r >= 0)
        r = json_add_string(o, "name", valid);
    if (r >= 0)
        r = add_fields(o, t->row_fields, t->n_row_fields,
                       s->values + s->n_values + row * s->n_row_values);
    if (r >= 0)
        *ret = TAKE_PTR(o);
    return r;
}

static int add_rows(const Sample *s, const StatType *t, struct json_object *o) {
    struct json_object *rows = json_object_new_array_ext((int)MAX(s->n_rows, 1u)), *row = NULL;
    const char *name = sample_get_row_name(s, 0);
    int r;

    r = json_add(o, t->rows, rows);
    for (size_t i = 0; i < s->n_rows && r >= 0; i++) {
        r = row_to_json(s, t, i, name, &row);
        if (r >= 0 && json_object_array_add(rows, row) < 0) {
            (void)json_object_put(row);
            r = -ENOMEM;
        }
        name = sample_next_row_name(name);
    }
    return r;
}

int sample_add_json(const Sample *s, const StatType *t, struct json_object *o) {
    int r;

    r = add_fields(o, t->fields, t->n_fields, s->values);
    return r < 0 || !t->rows ? r : add_rows(s, t, o);
}

int json_add_timestamp(struct json_object *o, uint64_t realtime_usec) {
    return json_add(o, "timestamp",
                    json_from_double((double)realtime_usec / (double)USEC_PER_SEC, 6));
}

int sample_to_json(const Sample *s, const StatType *t, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    int r;

    if (!o)
        return -ENOMEM;
    r = json_add_timestamp(o, s->realtime_usec);
    if (r >= 0)
        r = sample_add_json(s, t, o);
    if (r >= 0)
        *ret = TAKE_PTR(o);
    return r;
}
