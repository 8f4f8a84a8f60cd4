/* SPDX-License-Identifier: Apache-2.0 */
/* OpenMetrics 1.0 text. */
#pragma once

#include <stdio.h>

#include "basic/macro.h"

typedef enum MetricType {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_INFO,
    METRIC_HISTOGRAM, /* by exposition_add_part() */
    _METRIC_TYPE_MAX,
} MetricType;

typedef struct MetricFamily {
    const char *name; /* ends with the unit, if any */
    MetricType type;
    const char *unit; /* may be NULL */
    const char *help;
} MetricFamily;

typedef struct Exposition {
    FILE *f;
    char *text;
    size_t size;
    const MetricFamily *family; /* the current one */
} Exposition;

int exposition_init(Exposition *x);
void exposition_done(Exposition *x);
/* Begin each family once, before its samples. The family must outlive them. */
void exposition_begin(Exposition *x, const MetricFamily *family);
/* Labels: alternating names and values, NULL at the end; a value may be any text. NAN: no
 * sample. */
void exposition_add(Exposition *x, const char *const *labels, double value);
/* The same for a part of a histogram: "_bucket", "_count" or "_sum". */
void exposition_add_part(Exposition *x, const char *part, const char *const *labels, double value);
/* Adds a family with one sample without labels. */
void exposition_add_single(Exposition *x, const MetricFamily *family, double value);
/* Ends the text, which belongs to the exposition. -ENOMEM. */
int exposition_end(Exposition *x);
