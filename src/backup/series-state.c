/* SPDX-License-Identifier: Apache-2.0 */
#include "backup/series-state.h"

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "proto/fields.h"

#define FIELD(type_, name)                                                                         \
    { .key = #name, .type = (type_), .offset = offsetof(SeriesState, name) }

const char *const series_outcome_names[_SERIES_OUTCOME_MAX] = {"none", "running", "complete",
                                                               "failed"};

static const Field state_fields[] = {
    FIELD(FIELD_TEXT, name),
    {.key = "outcome",
     .type = FIELD_ENUM,
     .offset = offsetof(SeriesState, outcome),
     .names = series_outcome_names,
     .n = _SERIES_OUTCOME_MAX},
    FIELD(FIELD_SIZE, begin_usec),
    FIELD(FIELD_SIZE, end_usec),
    FIELD(FIELD_TEXT, error),
    FIELD(FIELD_TEXT, object),
    FIELD(FIELD_SIZE, success_usec),
    FIELD(FIELD_SIZE, size_bytes),
    FIELD(FIELD_SIZE, verified_usec),
    FIELD(FIELD_UNSIGNED, copies),
    FIELD(FIELD_TEXT, schedule),
    FIELD(FIELD_SIZE, due_usec),
};

static const FieldTable state_table = {state_fields, ELEMENTSOF(state_fields), sizeof(SeriesState)};

static const Field list_fields[] = {
    {.key = "series",
     .type = FIELD_STRUCTS,
     .offset = offsetof(SeriesStates, series),
     .n_offset = offsetof(SeriesStates, n),
     .table = &state_table},
};

static const FieldTable list_table = {list_fields, ELEMENTSOF(list_fields), sizeof(SeriesStates)};

void series_states_done(SeriesStates *s) {
    fields_done(&list_table, s);
}

int series_states_to_json(const SeriesStates *s, struct json_object **ret) {
    return fields_to_json(&list_table, s, ret);
}

int series_states_from_json(struct json_object *o, SeriesStates *ret) {
    TRY(fields_from_json(&list_table, o, ret));
    for (size_t i = 0; i < ret->n; i++)
        if (isempty(ret->series[i].name)) {
            series_states_done(ret);
            return -EBADMSG;
        }
    return 0;
}

int series_states_read(int root_fd, SeriesStates *ret) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    *ret = (SeriesStates){};
    r = read_file_at(root_fd, SERIES_STATE_FILE, BACKUP_STATUS_MAX, &text, &size);
    if (r == -ENOENT)
        return 0;
    TRY(r);
    TRY(json_parse(text, size, &o));
    return series_states_from_json(o, ret);
}

bool series_state_is_overdue(const SeriesState *s, uint64_t now_usec) {
    return s->due_usec > 0 && now_usec > s->due_usec && s->outcome != SERIES_RUNNING;
}
