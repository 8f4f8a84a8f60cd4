/* SPDX-License-Identifier: Apache-2.0 */
/* Names of objects, those of the Python agent: SERVICE-NAME-TIME.zip for a data source,
 * SERVICE-TIME for a service. Ours is NAME-TIME.tar for directories. All backups of the same thing
 * are a series: their names differ in the time alone. */
#pragma once

#include "basic/macro.h"

typedef enum SeriesKind {
    SERIES_DATA_SOURCE,
    SERIES_SERVICE,
    SERIES_PATHS,
    _SERIES_KIND_MAX,
} SeriesKind;

extern const char *const series_kind_names[_SERIES_KIND_MAX]; /* "data_source" and so on */

/* YYYYmmdd.HHMMSS.microseconds, in UTC */
#define STAMP_SIZE 23
void stamp_format(uint64_t time_usec, char ret[static STAMP_SIZE]);
/* Exactly such a text, a time that the calendar has, and nothing behind it. */
bool stamp_parse(const char *text, size_t size, uint64_t *ret_usec);

typedef struct Series {
    SeriesKind kind;
    char *id;     /* of the schedule, for people, and of files: kind and name */
    char *prefix; /* of the objects' names, up to the time */
} Series;

void series_done(Series *s);

/* `service` is NULL for paths, `name` for a service. */
int series_init(SeriesKind kind, const char *service, const char *name, Series *ret);
/* The object of a backup that was made at that time; the caller frees. */
int series_object(const Series *s, uint64_t time_usec, char **ret);
/* Whether the object is one of the series, and of when. */
bool series_has(const Series *s, const char *object, uint64_t *ret_usec);
