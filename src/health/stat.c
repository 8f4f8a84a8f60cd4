/* SPDX-License-Identifier: Apache-2.0 */
#include "health/stat.h"

Stat *stat_free(Stat *s) {
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->n_series; i++)
        series_free(s->series[i]);
    free(s->name);
    free(s);
    return NULL;
}
static int add_series(Stat *s, SeriesBudget *budget) {
    const StatType *components[STAT_COMPONENTS_MAX];
    size_t n = stat_type_components(s->definition.type, components);
    /* a reply of a composed type has the newest sample of each component */
    size_t hold = n > 1 && s->definition.owner == STAT_OWNER_MANAGER ? 1 : s->definition.hold;

    for (; s->n_series < n; s->n_series++)
        TRY(series_new(components[s->n_series], hold, budget, &s->series[s->n_series]));
    return 0;
}

int stat_new(const StatDefinition *d, SeriesBudget *budget, Stat **ret) {
    _cleanup_(stat_freep) Stat *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->name = strdup(d->name);
    if (!s->name)
        return -ENOMEM;
    s->definition = *d;
    s->definition.name = s->name;
    TRY(add_series(s, budget));
    *ret = TAKE_PTR(s);
    return 0;
}

const StatDefinition *stat_get_definition(const Stat *s) {
    return &s->definition;
}

bool stat_take_over(Stat *s) {
    bool was_inherited = s->definition.is_inherited;

    s->definition.is_inherited = false;
    return was_inherited;
}

size_t stat_get_n_series(const Stat *s) {
    return s->n_series;
}

const Series *stat_get_series(const Stat *s, size_t i) {
    return i < s->n_series ? s->series[i] : NULL;
}

/* {"timestamp": of the newest, "memory": {...}, ...} */
static int overview_to_json(const Stat *s, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    uint64_t newest_usec = 0;
    int r;

    for (size_t i = 0; i < s->n_series; i++) {
        const Sample *sample = series_get_newest(s->series[i]);

        newest_usec = MAX(newest_usec, sample ? sample_get_time(sample) : 0);
    }
    if (!o)
        return -ENOMEM;
    r = json_add_timestamp(o, newest_usec);
    for (size_t i = 0; i < s->n_series && r >= 0; i++) {
        const Sample *sample = series_get_newest(s->series[i]);
        const StatType *t = series_get_type(s->series[i]);
        struct json_object *part;

        if (!sample)
            continue;
        part = json_object_new_object();
        r = json_add(o, t->name, part);
        if (r >= 0)
            r = sample_add_json(sample, t, part);
    }
    if (r >= 0)
        *ret = newest_usec > 0 ? TAKE_PTR(o) : NULL;
    return r;
}

static int newest_to_json(const Stat *s, struct json_object **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    struct json_object *o = NULL;
    int r;

    if (!array)
        return -ENOMEM;
    r = overview_to_json(s, &o);
    if (r >= 0 && o && json_object_array_add(array, o) < 0) {
        (void)json_object_put(o);
        r = -ENOMEM;
    }
    if (r >= 0)
        *ret = TAKE_PTR(array);
    return r;
}

int stat_to_json(const Stat *s, size_t size_max, struct json_object **ret, size_t *ret_left_out) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    struct json_object *array = NULL;
    size_t left_out = 0;
    int r;

    if (!o)
        return -ENOMEM;
    if (s->definition.type->measure)
        r = series_to_json(s->series[0], size_max, &array, &left_out);
    else
        r = newest_to_json(s, &array);
    if (r >= 0)
        r = json_add(o, "status", array);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(o);
    *ret_left_out = left_out;
    return 0;
}
