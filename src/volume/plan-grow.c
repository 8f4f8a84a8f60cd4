/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/plan-grow.h"

#include "volume/block.h"
#include "volume/find-volume.h"
#include "volume/planner.h"
#include "volume/refuse.h"

static int check_mounted(const FoundVolume *v, Refusal *ret) {
    static const char *const types[] = {"ext3", "ext4", "xfs", "btrfs"};

    if (!v->mount)
        return refuse(ret, "not-mounted", "%s is not mounted: mount the volume first",
                      v->path     ? v->path
                      : v->device ? v->device->name
                                  : v->mapping);
    if (v->mount->read_only)
        return refuse(ret, "read-only", "%s is mounted read-only", v->path);
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (streq(types[i], v->mount->fs_type))
            return 0;
    return refuse(ret, "file-system", "%s is mounted as %s, which cannot be grown here", v->path,
                  v->mount->fs_type);
}

static int add(Planner *p, StepType type, const Block *b, const char *result, const char *uuid) {
    Step *s;

    TRY(planner_add(p, type, STEP_PENDING, &s));
    TRY(step_add_block(s, b));
    return step_set(s, result, uuid);
}

/* What a mapping lies on. NULL: not one device. */
static const Block *only_slave(const Facts *f, const Block *b) {
    return b->slaves && *b->slaves && !b->slaves[1] ? facts_find(f, *b->slaves) : NULL;
}

static int add_array(Planner *p, const Block *array) {
    static const char *const levels[] = {"raid1", "raid4", "raid5", "raid6"};
    bool can_grow = false;

    for (size_t i = 0; i < ELEMENTSOF(levels); i++)
        can_grow = can_grow || streq_ptr(levels[i], array->array_level);
    if (!can_grow)
        return refuse(p->refusal, "level", "%s is %s: an array of this level cannot be grown",
                      array->name, array->array_level ?: "of a level that is not known");
    if (array->array_missing > 0)
        return refuse(p->refusal, "degraded", "%s lacks %u of its %u disks: replace them first",
                      array->name, array->array_missing, array->array_disks);
    if (array->sync_percent >= 0)
        return refuse(p->refusal, "in-use", "%s is being synchronised (%d %%): wait for its end",
                      array->name, array->sync_percent);
    return add(p, STEP_GROW_ARRAY, array, NULL, array->array_uuid);
}

/* What holds the volume as a whole. */
static int add_raw(Planner *p, const Block *raw) {
    switch (raw->type) {
    case BLOCK_ARRAY:
        return add_array(p, raw);
    case BLOCK_DISK:
        return 0;
    case BLOCK_PARTITION:
        return refuse(p->refusal, "partition",
                      "%s is a partition: only volumes on whole disks are grown. Enlarge the "
                      "partition first, then the file system, by hand",
                      raw->name);
    case BLOCK_LOGICAL:
        return refuse(p->refusal, "kind",
                      "%s is a logical volume of LVM: see lvextend(8), --resizefs", raw->name);
    default:
        return block_is_multipath(raw) ? 0
                                       : refuse(p->refusal, "kind", "%s is not a disk", raw->name);
    }
}

/* LUKS2 has the key in the kernel's keyring, from where it cannot be taken again. */
static int check_key(const Block *mapping, bool has_key, Refusal *ret) {
    return has_key || text_after(mapping->dm_uuid, "CRYPT-LUKS1-")
               ? 0
               : refuse(ret, "encrypted",
                        "%s is encrypted: the request needs encryptedFsEncryptionKey",
                        mapping->dm_name ?: mapping->name);
}

static int plan_steps(Planner *p, const FoundVolume *v, bool has_key) {
    const bool is_crypt = v->top->type == BLOCK_CRYPT;
    const Block *raw = is_crypt ? only_slave(p->facts, v->top) : v->top;

    TRY(free_and_strdup(&p->plan->fs_type, v->mount->fs_type));
    TRY(free_and_strdup(&p->plan->request.mount_point, v->path));
    TRY(free_and_strdup(&p->plan->mapping, is_crypt ? v->top->dm_name : NULL));
    if (!raw)
        return refuse(p->refusal, "kind", "it is not known what %s lies on", v->top->name);
    TRY_PLAN(add_raw(p, raw));
    if (is_crypt) {
        TRY_PLAN(check_key(v->top, has_key, p->refusal));
        TRY(add(p, STEP_GROW_LUKS, raw, v->top->dm_name, NULL));
    }
    TRY(add(p, STEP_GROW_FILE_SYSTEM, v->top, v->path, NULL));
    return planner_check_programs(p);
}

int plan_grow(const Facts *f, const char *name, bool has_key, const Plan *records, size_t n_records,
              Plan *ret, Refusal *ret_refusal) {
    Planner p = {.facts = f, .plan = ret, .refusal = ret_refusal};
    FoundVolume v;
    int r;

    *ret = (Plan){.request.raid_level = -1};
    *ret_refusal = (Refusal){};
    r = find_volume(f, name, records, n_records, &v, ret_refusal);
    if (r == 0)
        r = check_mounted(&v, ret_refusal);
    if (r == 0)
        r = plan_steps(&p, &v, has_key);
    if (r != 0)
        plan_done(ret);
    if (r < 0)
        refusal_done(ret_refusal);
    return r;
}
