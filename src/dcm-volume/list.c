/* SPDX-License-Identifier: Apache-2.0 */
/* The keys device_id, encrypted, file_system, mount_point, size, used (both in KiB) and device_type
 * are those of the Python agent, which had them from `df -aTP`; every entry has them. The others
 * are additions. */
#include "dcm-volume/list.h"

#include "volume/block.h"

static const char *const state_mounted = "mounted";
static const char *const state_unmounted = "unmounted";
static const char *const state_missing = "missing";

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

static int add_texts(struct json_object *o, const char *key, char *const *texts) {
    _cleanup_json_ struct json_object *array = json_object_new_array();

    if (!array)
        return -ENOMEM;
    for (char *const *t = texts; t && *t; t++) {
        _cleanup_json_ struct json_object *text = json_object_new_string(*t);

        if (!text || json_object_array_add(array, text) != 0)
            return -ENOMEM;
        TAKE_PTR(text);
    }
    return json_add(o, key, TAKE_PTR(array));
}

static int append(struct json_object *array, struct json_object **o) {
    if (json_object_array_add(array, *o) != 0)
        return -ENOMEM;
    TAKE_PTR(*o);
    return 0;
}

/* --- the device of an entry --------------------------------------------------------------------
 */

static int add_signature(struct json_object *array, const Signature *s) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "type", s->type));
    TRY(json_add_string(o, "uuid", s->uuid));
    TRY(json_add_string(o, "label", s->label));
    return append(array, &o);
}

static int add_signatures(struct json_object *o, const Block *b) {
    _cleanup_json_ struct json_object *array = json_object_new_array();

    if (!array)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_signatures; i++)
        TRY(add_signature(array, &b->signatures[i]));
    TRY(json_add(o, "signatures", TAKE_PTR(array)));
    TRY(json_add_bool(o, "random_data", b->looks_random));
    /* without this, "no signature" and "not readable" would look the same */
    return b->probe_error ? json_add_string(o, "error", strerror(b->probe_error)) : 0;
}

static int add_array(struct json_object *o, const Block *b) {
    _cleanup_json_ struct json_object *array = json_object_new_object();

    if (!array)
        return -ENOMEM;
    TRY(json_add_string(array, "level", b->array_level));
    TRY(json_add_string(array, "state", b->array_state));
    TRY(json_add_string(array, "uuid", b->array_uuid));
    TRY(json_add_int(array, "disks", b->array_disks));
    TRY(json_add_int(array, "missing", b->array_missing));
    if (b->sync_percent >= 0)
        TRY(json_add_int(array, "sync_percent", b->sync_percent));
    return json_add(o, "array", TAKE_PTR(array));
}

static const char *kind_of(const Block *b) {
    static const char *const kinds[] = {
        [BLOCK_DISK] = "disk",   [BLOCK_PARTITION] = "partition", [BLOCK_ARRAY] = "array",
        [BLOCK_CRYPT] = "crypt", [BLOCK_LOGICAL] = "logical",     [BLOCK_OTHER] = "other",
    };

    return kinds[b->type];
}

static int add_block(struct json_object *o, const Block *b) {
    TRY(json_add_string(o, "device", b->name));
    TRY(json_add_string(o, "kind", kind_of(b)));
    TRY(json_add_bool(o, "root", b->is_root));
    TRY(json_add_bool(o, "read_only", b->read_only));
    TRY(json_add_bool(o, "swap", b->swap));
    TRY(json_add_string(o, "model", b->model));
    TRY(json_add_string(o, "serial", b->serial));
    TRY(add_texts(o, "links", b->links));
    TRY(add_texts(o, "holders", b->holders));
    TRY(add_texts(o, "lies_on", b->slaves));
    if (b->type == BLOCK_ARRAY)
        TRY(add_array(o, b));
    return add_signatures(o, b);
}

/* --- entries ------------------------------------------------------------------------------------
 */

typedef struct Entry {
    const char *state, *id;
    const char *fs_type, *mount_point; /* "": none */
    bool encrypted;
    uint64_t size_bytes, used_bytes;
    const char *type;
    const Block *block; /* NULL: none is known */
    const char *error;  /* NULL: none */
} Entry;

static int add_entry(struct json_object *array, const Entry *e) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "device_id", e->id));
    TRY(json_add_bool(o, "encrypted", e->encrypted));
    TRY(json_add_string(o, "file_system", e->fs_type));
    TRY(json_add_string(o, "mount_point", e->mount_point));
    TRY(json_add_int(o, "size", (int64_t)(e->size_bytes / 1024)));
    TRY(json_add_int(o, "used", (int64_t)(e->used_bytes / 1024)));
    TRY(json_add_string(o, "device_type", e->type));
    TRY(json_add_string(o, "state", e->state));
    if (e->error)
        TRY(json_add_string(o, "error", e->error));
    if (e->block)
        TRY(add_block(o, e->block));
    return append(array, &o);
}

static const char *device_type(const char *target, const char *mount_point) {
    if (streq(target, "/"))
        return "ROOT";
    return streq(target, mount_point) ? "EPHEMERAL" : "CUSTOM";
}

static bool is_encrypted(const Facts *f, const Block *b) {
    if (!b)
        return false;
    if (b->type == BLOCK_CRYPT)
        return true;
    for (char *const *s = b->slaves; s && *s; s++)
        if (is_encrypted(f, facts_find(f, *s)))
            return true;
    return false;
}

static bool is_below_dev(const char *path) {
    return strncmp(path, "/dev/", 5) == 0;
}

/* A mount of a device, also of one that has gone; the root directory in any case: in a container it
 * may lie on none. */
static bool is_listed(const Mount *m) {
    return m->block || is_below_dev(m->source) || streq(m->target, "/");
}

static bool has_lost_device(const Mount *m) {
    return !m->block && is_below_dev(m->source);
}

static int add_mount(struct json_object *array, const Facts *f, const Mount *m,
                     const char *mount_point) {
    const Block *b = facts_find(f, m->block);
    const char *name = is_below_dev(m->source) || !b ? m->source : b->name;

    return add_entry(array, &(Entry){
                                .state = state_mounted,
                                .id = last_part(name),
                                .fs_type = m->fs_type,
                                .mount_point = m->target,
                                .encrypted = is_encrypted(f, b),
                                .size_bytes = m->size_bytes,
                                .used_bytes = m->used_bytes,
                                .type = device_type(m->target, mount_point),
                                .block = b,
                                .error = has_lost_device(m) ? "the device has gone" : NULL,
                            });
}

static bool is_mounted(const Facts *f, const Block *b) {
    for (size_t i = 0; i < f->n_mounts; i++)
        if (streq_ptr(f->mounts[i].block, b->name) ||
            block_shares_btrfs(facts_find(f, f->mounts[i].block), b))
            return true;
    return false;
}

/* The name by which people know it: mapping and array have better ones than dm-3 and md127. */
static const char *block_id(const Block *b) {
    if (b->dm_name)
        return b->dm_name;
    for (char *const *l = b->links; l && *l; l++)
        if (b->type == BLOCK_ARRAY && strncmp(*l, "md/", 3) == 0)
            return *l + 3;
    return b->name;
}

static const char *file_system_of(const Block *b) {
    for (size_t i = 0; i < b->n_signatures; i++)
        if (streq(b->signatures[i].usage, "filesystem"))
            return b->signatures[i].type;
    return "";
}

static bool holds_crypt(const Block *b) {
    for (size_t i = 0; i < b->n_signatures; i++)
        if (streq(b->signatures[i].usage, "crypto"))
            return true;
    return false;
}

static int add_unmounted(struct json_object *array, const Facts *f, const Block *b) {
    return add_entry(array, &(Entry){
                                .state = state_unmounted,
                                .id = block_id(b),
                                .fs_type = file_system_of(b),
                                .mount_point = "",
                                .encrypted = holds_crypt(b) || is_encrypted(f, b),
                                .size_bytes = b->size_bytes,
                                .type = "CUSTOM",
                                .block = b,
                            });
}

/* --- what fstab wants ---------------------------------------------------------------------------
 */

static bool is_mount_target(const Facts *f, const char *target) {
    for (size_t i = 0; i < f->n_mounts; i++)
        if (streq(f->mounts[i].target, target))
            return true;
    return false;
}

static bool has_option(const char *options, const char *name) {
    size_t size = strlen(name);

    for (const char *o = strempty(options); *o; o += strcspn(o, ","), o += *o == ',')
        if (strcspn(o, ",") == size && strncmp(o, name, size) == 0)
            return true;
    return false;
}

/* A line for a device that is to be mounted all the time. One of ours is, even with noauto: the
 * manager has to give the key. */
static bool is_wanted(const TabEntry *t) {
    static const char *const devices[] = {"/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="};

    if (t->target[0] != '/' || (has_option(t->options, "noauto") && !t->ours))
        return false;
    for (size_t i = 0; i < ELEMENTSOF(devices); i++)
        if (strncmp(t->source, devices[i], strlen(devices[i])) == 0)
            return true;
    return false;
}

static int add_missing(struct json_object *array, const TabEntry *t, const char *mount_point) {
    return add_entry(array, &(Entry){
                                .state = state_missing,
                                .id = last_part(t->source),
                                .fs_type = strempty(t->fs_type),
                                .mount_point = t->target,
                                .type = device_type(t->target, mount_point),
                            });
}

int list_devices(const Facts *f, const char *mount_point, struct json_object **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();

    if (!array)
        return -ENOMEM;
    for (size_t i = 0; i < f->n_mounts; i++)
        if (is_listed(&f->mounts[i]))
            TRY(add_mount(array, f, &f->mounts[i], mount_point));
    for (size_t i = 0; i < f->n_blocks; i++)
        if (!is_mounted(f, &f->blocks[i]))
            TRY(add_unmounted(array, f, &f->blocks[i]));
    for (size_t i = 0; i < f->n_fstab; i++)
        if (is_wanted(&f->fstab[i]) && !is_mount_target(f, f->fstab[i].target))
            TRY(add_missing(array, &f->fstab[i], mount_point));
    *ret = TAKE_PTR(array);
    return 0;
}
