/* SPDX-License-Identifier: Apache-2.0 */
/* The values of one moment, in one block of memory. */
#pragma once

#include "health/stat-type.h"
#include "proto/json.h"

typedef struct Sample Sample;

int sample_new(const StatType *t, const Measure *m, uint64_t realtime_usec, Sample **ret);
Sample *sample_free(Sample *s);
DEFINE_CLEANUP(Sample *, sample_free)

uint64_t sample_get_time(const Sample *s) _pure_; /* CLOCK_REALTIME, in us */
/* Memory in bytes. */
size_t sample_get_size(const Sample *s) _pure_;
/* NAN: no such value. Fields have the order of the type's table. */
double sample_get(const Sample *s, size_t field) _pure_;
size_t sample_get_n_rows(const Sample *s) _pure_;
/* Counts from the first row; to visit all of them call the next function. */
const char *sample_get_row_name(const Sample *s, size_t row) _pure_;
const char *sample_next_row_name(const char *name) _pure_;
double sample_get_in_row(const Sample *s, size_t row, size_t field) _pure_;

/* Adds all but the time to an object. */
int sample_add_json(const Sample *s, const StatType *t, struct json_object *o);
/* {"timestamp": ..., ...}. Row names are converted to valid UTF-8. */
int sample_to_json(const Sample *s, const StatType *t, struct json_object **ret);
int json_add_timestamp(struct json_object *o, uint64_t realtime_usec);
