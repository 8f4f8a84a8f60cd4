/* SPDX-License-Identifier: Apache-2.0 */
/* The newest samples of one type, up to a number. */
#pragma once

#include "health/sample.h"

/* The memory limit of all series together. */
typedef struct SeriesBudget {
    size_t used, max;
} SeriesBudget;

typedef struct Series Series;

/* The budget must outlive the series. */
int series_new(const StatType *t, size_t hold, SeriesBudget *budget, Series **ret);
Series *series_free(Series *s);
DEFINE_CLEANUP(Series *, series_free)

/* Takes ownership of the sample. If the budget is used up, drops the oldest samples of this series;
 * -ENOBUFS: that was not enough, and the sample is freed. */
int series_add(Series *s, Sample *sample);

const StatType *series_get_type(const Series *s) _pure_;
size_t series_get_n(const Series *s) _pure_;
/* 0 is the oldest. */
const Sample *series_get(const Series *s, size_t i) _pure_;
/* NULL before the first sample. */
const Sample *series_get_newest(const Series *s) _pure_;

/* An array of the newest samples, oldest first, whose text has about size_max bytes at most;
 * *ret_left_out: number of older samples that did not fit. */
int series_to_json(const Series *s, size_t size_max, struct json_object **ret,
                   size_t *ret_left_out);
