/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/facts.h"

#define FIELD(struct_, type_, name)                                                                \
    { .key = #name, .type = (type_), .offset = offsetof(struct_, name) }

static const char *const block_types[] = {
    [BLOCK_DISK] = "disk",   [BLOCK_PARTITION] = "partition", [BLOCK_ARRAY] = "array",
    [BLOCK_CRYPT] = "crypt", [BLOCK_LOGICAL] = "logical",     [BLOCK_OTHER] = "other",
};

static const char *const place_types[] = {
    [PLACE_ABSENT] = "absent",           [PLACE_EMPTY] = "empty", [PLACE_FULL] = "full",
    [PLACE_MOUNT_POINT] = "mount-point", [PLACE_LINK] = "link",   [PLACE_OTHER] = "other",
};

static const Field signature_fields[] = {
    FIELD(Signature, FIELD_TEXT, type),  FIELD(Signature, FIELD_TEXT, usage),
    FIELD(Signature, FIELD_TEXT, uuid),  FIELD(Signature, FIELD_TEXT, sub_uuid),
    FIELD(Signature, FIELD_TEXT, label),
};

static const FieldTable signature_table = {signature_fields, ELEMENTSOF(signature_fields),
                                           sizeof(Signature)};

static const Field block_fields[] = {
    FIELD(Block, FIELD_TEXT, name),
    {.key = "type",
     .type = FIELD_ENUM,
     .offset = offsetof(Block, type),
     .names = block_types,
     .n = ELEMENTSOF(block_types)},
    FIELD(Block, FIELD_UNSIGNED, major),
    FIELD(Block, FIELD_UNSIGNED, minor),
    FIELD(Block, FIELD_SIZE, size_bytes),
    FIELD(Block, FIELD_BOOL, read_only),
    FIELD(Block, FIELD_BOOL, busy),
    FIELD(Block, FIELD_BOOL, swap),
    FIELD(Block, FIELD_BOOL, is_root),
    FIELD(Block, FIELD_INT, probe_error),
    FIELD(Block, FIELD_BOOL, looks_random),
    {.key = "signatures",
     .type = FIELD_STRUCTS,
     .offset = offsetof(Block, signatures),
     .n_offset = offsetof(Block, n_signatures),
     .table = &signature_table},
    FIELD(Block, FIELD_TEXT, model),
    FIELD(Block, FIELD_TEXT, serial),
    FIELD(Block, FIELD_TEXT, vendor),
    FIELD(Block, FIELD_TEXT, wanted_name),
    FIELD(Block, FIELD_TEXTS, links),
    FIELD(Block, FIELD_TEXT, parent),
    FIELD(Block, FIELD_TEXTS, holders),
    FIELD(Block, FIELD_TEXTS, slaves),
    FIELD(Block, FIELD_TEXT, dm_name),
    FIELD(Block, FIELD_TEXT, dm_uuid),
    FIELD(Block, FIELD_TEXT, array_level),
    FIELD(Block, FIELD_TEXT, array_state),
    FIELD(Block, FIELD_TEXT, array_uuid),
    FIELD(Block, FIELD_UNSIGNED, array_disks),
    FIELD(Block, FIELD_UNSIGNED, array_missing),
    {.key = "sync_percent",
     .type = FIELD_INT,
     .offset = offsetof(Block, sync_percent),
     .fallback = -1},
    FIELD(Block, FIELD_TEXT, member_level),
    FIELD(Block, FIELD_UNSIGNED, member_disks),
    FIELD(Block, FIELD_SIZE, member_events),
    FIELD(Block, FIELD_BOOL, member_dirty),
};

static const FieldTable block_table = {block_fields, ELEMENTSOF(block_fields), sizeof(Block)};

static const Field mount_fields[] = {
    FIELD(Mount, FIELD_TEXT, source),     FIELD(Mount, FIELD_TEXT, block),
    FIELD(Mount, FIELD_TEXT, target),     FIELD(Mount, FIELD_TEXT, fs_type),
    FIELD(Mount, FIELD_TEXT, options),    FIELD(Mount, FIELD_SIZE, size_bytes),
    FIELD(Mount, FIELD_SIZE, used_bytes), FIELD(Mount, FIELD_BOOL, read_only),
};

static const FieldTable mount_table = {mount_fields, ELEMENTSOF(mount_fields), sizeof(Mount)};

static const Field tab_fields[] = {
    FIELD(TabEntry, FIELD_TEXT, source),  FIELD(TabEntry, FIELD_TEXT, target),
    FIELD(TabEntry, FIELD_TEXT, fs_type), FIELD(TabEntry, FIELD_TEXT, options),
    FIELD(TabEntry, FIELD_BOOL, ours),
};

static const FieldTable tab_table = {tab_fields, ELEMENTSOF(tab_fields), sizeof(TabEntry)};

#define STRUCTS(name, table_)                                                                      \
    {                                                                                              \
        .key = #name, .type = FIELD_STRUCTS, .offset = offsetof(Facts, name),                      \
        .n_offset = offsetof(Facts, n_##name), .table = (table_)                                   \
    }

static const Field facts_fields[] = {
    STRUCTS(blocks, &block_table),
    STRUCTS(mounts, &mount_table),
    STRUCTS(fstab, &tab_table),
    STRUCTS(crypttab, &tab_table),
    FIELD(Facts, FIELD_TEXTS, sealed),
    FIELD(Facts, FIELD_TEXTS, programs),
    FIELD(Facts, FIELD_TEXTS, uuids),
    FIELD(Facts, FIELD_TEXT, place),
    {.key = "place_type",
     .type = FIELD_ENUM,
     .offset = offsetof(Facts, place_type),
     .names = place_types,
     .n = ELEMENTSOF(place_types)},
    FIELD(Facts, FIELD_BOOL, tabs_read_only),
};

const FieldTable facts_table = {facts_fields, ELEMENTSOF(facts_fields), sizeof(Facts)};

void facts_done(Facts *f) {
    fields_done(&facts_table, f);
}

Block *facts_find(const Facts *f, const char *name) {
    for (size_t i = 0; name && i < f->n_blocks; i++)
        if (streq_ptr(f->blocks[i].name, name))
            return &f->blocks[i];
    return NULL;
}

int facts_to_json(const Facts *f, struct json_object **ret) {
    return fields_to_json(&facts_table, f, ret);
}

/* What the planner takes for granted of each fact. */
static bool is_complete(const Facts *f) {
    for (size_t i = 0; i < f->n_blocks; i++) {
        const Block *b = &f->blocks[i];

        if (isempty(b->name) || facts_find(f, b->name) != b)
            return false;
        for (size_t j = 0; j < b->n_signatures; j++)
            if (!b->signatures[j].type)
                return false;
    }
    for (size_t i = 0; i < f->n_mounts; i++)
        if (!f->mounts[i].target || !f->mounts[i].source || !f->mounts[i].fs_type)
            return false;
    for (size_t i = 0; i < f->n_fstab; i++)
        if (!f->fstab[i].source || !f->fstab[i].target)
            return false;
    for (size_t i = 0; i < f->n_crypttab; i++)
        if (!f->crypttab[i].source || !f->crypttab[i].target)
            return false;
    return true;
}

int facts_from_json(struct json_object *o, Facts *ret) {
    TRY(fields_from_json(&facts_table, o, ret));
    if (is_complete(ret))
        return 0;
    facts_done(ret);
    return -EBADMSG;
}
