/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a backup: an entry of the catalogue. It has no secret. */
#pragma once

#include "backup/object-name.h"
#include "proto/fields.h"

typedef enum RecordOutcome {
    RECORD_RUNNING, /* or it was killed */
    RECORD_COMPLETE,
    RECORD_FAILED,
    _RECORD_OUTCOME_MAX,
} RecordOutcome;

extern const char *const record_outcome_names[_RECORD_OUTCOME_MAX];

/* A copy: where the object is. */
typedef struct RecordCopy {
    char *provider, *endpoint, *region, *account, *bucket; /* NULL: none */
    bool is_complete;
    uint64_t verified_usec; /* when all of it was read back last, and was what it must be; 0 */
    char *error;            /* why it is not complete, or not what it must be */
} RecordCopy;

typedef struct Record {
    char *object, *series; /* Series.id */
    char *data_source;     /* as it was given: names that differ can have one series */
    SeriesKind kind;
    uint64_t number; /* later ones have a higher one, whatever the clock said; 0: unknown */
    RecordOutcome outcome;
    uint64_t begin_usec, end_usec; /* since 1970 */
    uint64_t size_bytes;
    char *sha256; /* of the object, in hex */
    char *compression;
    char **recipients; /* age public keys */
    bool is_scheduled;
    char *error; /* the first one */
    RecordCopy *copies;
    size_t n_copies;
} Record;

extern const FieldTable record_table;

void record_done(Record *r);
void record_copy_done(RecordCopy *c);
int record_to_json(const Record *r, struct json_object **ret);
/* -EBADMSG: it is none, or of a newer version. */
int record_from_json(struct json_object *o, Record *ret);
/* The copy at the same place as that one; NULL: none. */
RecordCopy *record_find_copy(const Record *r, const RecordCopy *at) _pure_;
/* Whether both are the same place for objects. */
bool record_copy_is_at(const RecordCopy *a, const RecordCopy *b) _pure_;
