/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of statistics: names, fields and units. Commands, the manual page
 * dcm-agent-health(7), D-Bus and OpenMetrics derive from it. */
#pragma once

#include "health/measure.h"

#define STAT_COMPONENTS_MAX 16

typedef struct StatField {
    const char *key;
    const char
        *unit;  /* "bytes", "bytes/s", "1/s", "share" (0 to 1), "percent", "ms", "us", "C", "1" */
    int digits; /* after the decimal point; -1: a whole number */
    const char *help;
} StatField;

/* A type has fields, or rows (one for each disk, say) with fields, or both. Each row has a name; a
 * field whose value is NAN is absent. */
typedef struct StatType StatType;
struct StatType {
    const char *name;
    const char *reply_type;
    unsigned sources; /* SOURCE_MASK() of all that it needs */
    const StatField *fields;
    size_t n_fields;
    const char *rows; /* their key in a sample; NULL: no rows */
    const StatField *row_fields;
    size_t n_row_fields;
    /* 1: *ret is a sample; 0: no sample this time. NULL: the type consists of other types, and
     * shows their newest samples */
    int (*measure)(const Snapshot *before, const Snapshot *now, Measure *ret);
};

const StatType *stat_type_table(size_t *ret_n);
const StatType *stat_type_find(const char *name) _pure_;
/* The types that a type consists of: itself, or other ones. */
size_t stat_type_components(const StatType *t, const StatType *ret[static STAT_COMPONENTS_MAX]);
