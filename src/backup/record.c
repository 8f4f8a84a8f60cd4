/* SPDX-License-Identifier: Apache-2.0 */
#include "backup/record.h"

#define FIELD(struct_, type_, name)                                                                \
    { .key = #name, .type = (type_), .offset = offsetof(struct_, name) }

const char *const record_outcome_names[_RECORD_OUTCOME_MAX] = {"running", "complete", "failed"};

static const Field copy_fields[] = {
    FIELD(RecordCopy, FIELD_TEXT, provider),      FIELD(RecordCopy, FIELD_TEXT, endpoint),
    FIELD(RecordCopy, FIELD_TEXT, region),        FIELD(RecordCopy, FIELD_TEXT, account),
    FIELD(RecordCopy, FIELD_TEXT, bucket),        FIELD(RecordCopy, FIELD_BOOL, is_complete),
    FIELD(RecordCopy, FIELD_SIZE, verified_usec), FIELD(RecordCopy, FIELD_TEXT, error),
};

static const FieldTable copy_table = {copy_fields, ELEMENTSOF(copy_fields), sizeof(RecordCopy)};

static const Field record_fields[] = {
    FIELD(Record, FIELD_TEXT, object),
    FIELD(Record, FIELD_TEXT, series),
    FIELD(Record, FIELD_TEXT, data_source),
    {.key = "kind",
     .type = FIELD_ENUM,
     .offset = offsetof(Record, kind),
     .names = series_kind_names,
     .n = _SERIES_KIND_MAX},
    FIELD(Record, FIELD_SIZE, number),
    {.key = "outcome",
     .type = FIELD_ENUM,
     .offset = offsetof(Record, outcome),
     .names = record_outcome_names,
     .n = _RECORD_OUTCOME_MAX},
    FIELD(Record, FIELD_SIZE, begin_usec),
    FIELD(Record, FIELD_SIZE, end_usec),
    FIELD(Record, FIELD_SIZE, size_bytes),
    FIELD(Record, FIELD_TEXT, sha256),
    FIELD(Record, FIELD_TEXT, compression),
    FIELD(Record, FIELD_TEXTS, recipients),
    FIELD(Record, FIELD_BOOL, is_scheduled),
    FIELD(Record, FIELD_TEXT, error),
    {.key = "copies",
     .type = FIELD_STRUCTS,
     .offset = offsetof(Record, copies),
     .n_offset = offsetof(Record, n_copies),
     .table = &copy_table},
};

const FieldTable record_table = {record_fields, ELEMENTSOF(record_fields), sizeof(Record)};

void record_done(Record *r) {
    fields_done(&record_table, r);
}

void record_copy_done(RecordCopy *c) {
    fields_done(&copy_table, c);
}

int record_to_json(const Record *r, struct json_object **ret) {
    return fields_to_json(&record_table, r, ret);
}

int record_from_json(struct json_object *o, Record *ret) {
    TRY(fields_from_json(&record_table, o, ret));
    if (!isempty(ret->object) && !isempty(ret->series) && ret->begin_usec > 0)
        return 0;
    record_done(ret);
    return -EBADMSG;
}

bool record_copy_is_at(const RecordCopy *a, const RecordCopy *b) {
    return streq_ptr(a->provider, b->provider) && streq_ptr(a->endpoint, b->endpoint) &&
           streq_ptr(a->region, b->region) && streq_ptr(a->account, b->account) &&
           streq_ptr(a->bucket, b->bucket);
}

RecordCopy *record_find_copy(const Record *r, const RecordCopy *at) {
    for (size_t i = 0; i < r->n_copies; i++)
        if (record_copy_is_at(&r->copies[i], at))
            return &r->copies[i];
    return NULL;
}
