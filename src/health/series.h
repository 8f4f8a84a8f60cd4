/* SPDX-License-Identifier: Apache-2.0 */
/* The newest samples of one type, so many at most. */
#pragma once

#include "health/sample.h"

/* What all series together may take. */
typedef struct SeriesBudget {
    size_t used, max;
} SeriesBudget;

typedef struct Series Series;

/* The budget must outlive it. */
int series_new(const StatType *t, size_t hold, SeriesBudget *budget, Series **ret);
Series *series_free(Series *s);
DEFINE_CLEANUP(Series *, series_free)

/* Takes over the sample. Where the budget is used up its own oldest ones make room; -ENOBUFS: that
 * is not enough, and the sample is gone. */
int series_add(Series *s, Sample *sample);

const StatType *series_get_type(const Series *s) _pure_;
size_t series_get_n(const Series *s) _pure_;
/* 0 is the oldest. */
const Sample *series_get(const Series *s, size_t i) _pure_;
/* NULL: there is none yet. */
const Sample *series_get_newest(const Series *s) _pure_;

/* An array, oldest first, of the newest samples whose text has at most about size_max bytes; how
 * many older ones are left out. */
int series_to_json(const Series *s, size_t size_max, struct json_object **ret,
                   size_t *ret_left_out);
