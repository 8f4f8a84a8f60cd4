/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/plan.h"

static const char *const step_types[] = {
    [STEP_WIPE] = "wipe",
    [STEP_RAID_CREATE] = "raid-create",
    [STEP_RAID_ASSEMBLE] = "raid-assemble",
    [STEP_LUKS_FORMAT] = "luks-format",
    [STEP_LUKS_OPEN] = "luks-open",
    [STEP_FORMAT] = "format",
    [STEP_SEAL_KEY] = "seal-key",
    [STEP_CRYPTTAB] = "crypttab",
    [STEP_DIRECTORY] = "directory",
    [STEP_FSTAB] = "fstab",
    [STEP_MOUNT] = "mount",
    [STEP_GROW_LUKS] = "grow-luks",
    [STEP_GROW_ARRAY] = "grow-array",
    [STEP_GROW_FILE_SYSTEM] = "grow-file-system",
    [STEP_UNMOUNT] = "unmount",
    [STEP_LUKS_CLOSE] = "luks-close",
    [STEP_RAID_STOP] = "raid-stop",
    [STEP_FSTAB_REMOVE] = "fstab-remove",
    [STEP_CRYPTTAB_REMOVE] = "crypttab-remove",
    [STEP_KEY_REMOVE] = "key-remove",
};

static const char *const step_states[] = {
    [STEP_PENDING] = "pending",
    [STEP_BEGUN] = "begun",
    [STEP_DONE] = "done",
};

#define FIELD(struct_, type_, name)                                                                \
    { .key = #name, .type = (type_), .offset = offsetof(struct_, name) }
#define ENUM(name, names_)                                                                         \
    {                                                                                              \
        .key = #name, .type = FIELD_ENUM, .offset = offsetof(Step, name), .names = (names_),       \
        .n = ELEMENTSOF(names_)                                                                    \
    }

static const Field step_fields[] = {
    ENUM(type, step_types),
    ENUM(state, step_states),
    FIELD(Step, FIELD_TEXTS, devices),
    FIELD(Step, FIELD_TEXT, result),
    FIELD(Step, FIELD_TEXT, uuid),
    FIELD(Step, FIELD_TEXT, options),
    FIELD(Step, FIELD_BOOL, wipe_first),
};

const FieldTable step_table = {step_fields, ELEMENTSOF(step_fields), sizeof(Step)};

static const Field plan_fields[] = {
    {.key = "id", .type = FIELD_CHARS, .offset = offsetof(Plan, id), .n = VOLUME_ID_SIZE},
    {.key = "request",
     .type = FIELD_STRUCT,
     .offset = offsetof(Plan, request),
     .table = &volume_request_table},
    FIELD(Plan, FIELD_TEXTS, disks),
    FIELD(Plan, FIELD_TEXT, array_name),
    FIELD(Plan, FIELD_TEXT, array_uuid),
    FIELD(Plan, FIELD_TEXT, mapping),
    FIELD(Plan, FIELD_TEXT, luks_uuid),
    FIELD(Plan, FIELD_TEXT, fs_type),
    FIELD(Plan, FIELD_TEXT, fs_uuid),
    {.key = "steps",
     .type = FIELD_STRUCTS,
     .offset = offsetof(Plan, steps),
     .n_offset = offsetof(Plan, n_steps),
     .table = &step_table},
    {.key = "later",
     .type = FIELD_STRUCTS,
     .offset = offsetof(Plan, later),
     .n_offset = offsetof(Plan, n_later),
     .table = &step_table},
    FIELD(Plan, FIELD_TEXTS, overwrites),
    FIELD(Plan, FIELD_BOOL, more),
    FIELD(Plan, FIELD_BOOL, was_mounted),
    FIELD(Plan, FIELD_BOOL, complete),
    FIELD(Plan, FIELD_TEXTS, notes),
};

const FieldTable plan_table = {plan_fields, ELEMENTSOF(plan_fields), sizeof(Plan)};

void plan_done(Plan *p) {
    fields_done(&plan_table, p);
}

void refusal_done(Refusal *r) {
    free(r->code);
    free(r->text);
    free(r->program);
    *r = (Refusal){};
}

int plan_to_json(const Plan *p, struct json_object **ret) {
    return fields_to_json(&plan_table, p, ret);
}

int plan_from_json(struct json_object *o, Plan *ret) {
    return fields_from_json(&plan_table, o, ret);
}

const char *step_type_to_string(StepType t) {
    return step_types[t];
}
