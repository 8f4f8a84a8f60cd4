/* SPDX-License-Identifier: Apache-2.0 */
#include "health/series.h"

#include "basic/bounds.h"

struct Series {
    const StatType *type;
    SeriesBudget *budget;
    Sample **ring;
    size_t hold, n, first;
};

int series_new(const StatType *t, size_t hold, SeriesBudget *budget, Series **ret) {
    size_t size = hold * sizeof(Sample *);
    Series *s;

    assert(hold > 0);
    if (budget->used + size > budget->max)
        return -ENOBUFS;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->ring = calloc(hold, sizeof(Sample *));
    if (!s->ring) {
        free(s);
        return -ENOMEM;
    }
    s->type = t;
    s->hold = hold;
    s->budget = budget;
    budget->used += size;
    *ret = s;
    return 0;
}

static void drop_oldest(Series *s) {
    Sample **oldest = &s->ring[s->first];

    s->budget->used -= sample_get_size(*oldest);
    *oldest = sample_free(*oldest);
    s->first = (s->first + 1) % s->hold;
    s->n--;
}

Series *series_free(Series *s) {
    if (!s)
        return NULL;
    while (s->n > 0)
        drop_oldest(s);
    s->budget->used -= s->hold * sizeof(Sample *);
    free(s->ring);
    free(s);
    return NULL;
}

int series_add(Series *s, Sample *sample) {
    size_t size = sample_get_size(sample);

    while (s->n > 0 && (s->n == s->hold || s->budget->used + size > s->budget->max))
        drop_oldest(s);
    if (s->budget->used + size > s->budget->max) {
        sample_free(sample);
        return -ENOBUFS;
    }
    s->ring[(s->first + s->n) % s->hold] = sample;
    s->n++;
    s->budget->used += size;
    return 0;
}

const StatType *series_get_type(const Series *s) {
    return s->type;
}

size_t series_get_n(const Series *s) {
    return s->n;
}

const Sample *series_get(const Series *s, size_t i) {
    return i < s->n ? s->ring[(s->first + i) % s->hold] : NULL;
}

const Sample *series_get_newest(const Series *s) {
    return s->n > 0 ? series_get(s, s->n - 1) : NULL;
}

/* Upper estimate of the size of a sample's text in bytes. */
static size_t estimate(const Sample *s, const StatType *t) {
    size_t row = sizeof("{'name':'',},"), size = sizeof("{'timestamp':1700000000.000000},");

    for (size_t i = 0; i < t->n_fields; i++)
        size += strlen(t->fields[i].key) + 20;
    for (size_t i = 0; i < t->n_row_fields; i++)
        row += strlen(t->row_fields[i].key) + 20;
    /* the block contains the names */
    return size + row * sample_get_n_rows(s) + sample_get_size(s);
}

/* Upper estimate of the receiver's memory for it in bytes (proto/json-check.c). */
static size_t estimate_memory(const Sample *s, const StatType *t) {
    size_t n_objects = 1 + sample_get_n_rows(s);
    size_t n_values = 1 + t->n_fields + sample_get_n_rows(s) * (1 + t->n_row_fields);

    return n_objects * 1024 + n_values * 224 + sample_get_size(s);
}

int series_to_json(const Series *s, size_t size_max, struct json_object **ret,
                   size_t *ret_left_out) {
    _cleanup_json_ struct json_object *array = NULL;
    size_t first = s->n, size = 0, memory = 0;

    for (; first > 0; first--) {
        const Sample *next = series_get(s, first - 1);

        size += estimate(next, s->type);
        memory += estimate_memory(next, s->type);
        if (size > size_max || memory > STAT_REPLY_MEMORY_MAX)
            break;
    }
    array = json_object_new_array_ext((int)MAX(s->n - first, (size_t)1));
    if (!array)
        return -ENOMEM;
    for (size_t i = first; i < s->n; i++) {
        struct json_object *o;
        int r = sample_to_json(series_get(s, i), s->type, &o);

        if (r < 0)
            return r;
        if (json_object_array_add(array, o) < 0) {
            (void)json_object_put(o);
            return -ENOMEM;
        }
    }
    *ret = TAKE_PTR(array);
    *ret_left_out = first;
    return 0;
}
