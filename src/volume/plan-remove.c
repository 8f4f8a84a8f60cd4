/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/plan-remove.h"

#include "basic/strv.h"
#include "volume/block.h"
#include "volume/check.h"
#include "volume/find-volume.h"
#include "volume/place.h"
#include "volume/planner.h"
#include "volume/refuse.h"

/* What is mounted below has to go first, and so has whatever else lies on the device. */
static int check_below(const Facts *f, const FoundVolume *v, Refusal *ret) {
    for (size_t i = 0; i < f->n_mounts; i++) {
        const char *rest = text_after(f->mounts[i].target, v->path);

        if (rest && *rest == '/' && v->mount)
            return refuse(ret, "mounted-below", "%s is mounted below %s: unmount it first",
                          f->mounts[i].target, v->path);
    }
    return 0;
}

static int add(Planner *p, StepType type, const Block *b, const char *result, const char *uuid) {
    Step *s;

    TRY(planner_add(p, type, STEP_PENDING, &s));
    if (b)
        TRY(step_add_block(s, b));
    return step_set(s, result, uuid);
}

/* Whether it is mounted somewhere else, too. */
static bool is_mounted_twice(const Facts *f, const FoundVolume *v) {
    for (size_t i = 0; i < f->n_mounts; i++)
        if (streq_ptr(f->mounts[i].block, v->top->name) && !streq(f->mounts[i].target, v->path))
            return true;
    return false;
}

static const TabEntry *find_crypttab(const Facts *f, const char *name, bool ours) {
    for (size_t i = 0; name && i < f->n_crypttab; i++)
        if (streq(f->crypttab[i].target, name) && f->crypttab[i].ours == ours)
            return &f->crypttab[i];
    return NULL;
}

/* --- what belongs to the volume ------------------------------------------------------------- */

/* What is found of one volume: names and UUIDs that lead to its lines and its key. */
typedef struct Parts {
    const FoundVolume *volume;
    const Block *mapping; /* open; NULL: there is none */
    bool stays_open;      /* somebody else uses it, or has opened it */
    char **names;         /* of mappings */
    char **luks;          /* UUIDs */
    bool is_sealed;       /* a record says that a key was sealed, or was about to be */
} Parts;

static void parts_done(Parts *a) {
    strv_free(a->names);
    strv_free(a->luks);
}

static int add_once(char ***list, const char *text) {
    return !text || list_has(*list, text) ? 0 : text_add(list, "%s", text);
}

/* Whether the name means this record, or another one of the same volume. */
static bool is_of_volume(const FoundVolume *v, const Plan *record) {
    return v->record && (record == v->record || record_is_same(record, v->record));
}

/* The LUKS devices that the name means, or that the mapping lies on. */
static int list_luks(const Planner *p, Parts *a) {
    const Block *const blocks[] = {
        a->volume->device,
        a->mapping && a->mapping->slaves ? facts_find(p->facts, *a->mapping->slaves) : NULL};

    for (size_t i = 0; i < ELEMENTSOF(blocks); i++) {
        const Signature *s =
            blocks[i] ? block_find_signature(blocks[i], "crypto_LUKS", NULL) : NULL;

        TRY(add_once(&a->luks, s ? s->uuid : NULL));
    }
    for (size_t i = 0; i < p->n_records; i++)
        if (is_of_volume(a->volume, &p->records[i]))
            TRY(add_once(&a->luks, p->records[i].luks_uuid));
    return 0;
}

static bool has_luks(const Parts *a, const char *uuid) {
    for (char *const *u = a->luks; u && *u; u++)
        if (uuid_is(*u, uuid))
            return true;
    return false;
}

static int list_names(const Planner *p, Parts *a) {
    if (a->mapping && !a->stays_open)
        TRY(add_once(&a->names, a->mapping->dm_name));
    TRY(add_once(&a->names, a->volume->mapping));
    for (size_t i = 0; i < p->n_records; i++)
        if (is_of_volume(a->volume, &p->records[i])) {
            TRY(add_once(&a->names, p->records[i].mapping));
            a->is_sealed =
                a->is_sealed || planner_state_of(&p->records[i], STEP_SEAL_KEY) != STEP_PENDING;
        }
    for (size_t i = 0; i < p->facts->n_crypttab; i++) {
        const TabEntry *e = &p->facts->crypttab[i];

        if (e->ours && has_luks(a, text_after(e->source, "UUID=")))
            TRY(add_once(&a->names, e->target));
    }
    return 0;
}

/* The mapping below the file system; or the one that the record says, should that be blank yet; or
 * the one on the device that the name means. */
static const Block *find_mapping(const Planner *p, const FoundVolume *v) {
    const Block *b;

    if (v->top && v->top->type == BLOCK_CRYPT)
        return v->top;
    if (v->record)
        return facts_find_mapping(p->facts, v->record->luks_uuid);
    if (v->top || !v->device)
        return NULL;
    if (v->device->type == BLOCK_CRYPT)
        return v->device;
    b = v->device->holders ? facts_find(p->facts, *v->device->holders) : NULL;
    return b && b->type == BLOCK_CRYPT ? b : NULL;
}

/* By the record, by our line, or by the name that the old agent gave. */
static bool is_our_mapping(const Planner *p, const FoundVolume *v, const Block *mapping) {
    const char *name = strempty(mapping->dm_name);

    return (v->record && facts_find_mapping(p->facts, v->record->luks_uuid) == mapping) ||
           find_crypttab(p->facts, name, true) ||
           (text_after(name, "es") && !find_crypttab(p->facts, name, false));
}

static int find_parts(Planner *p, const FoundVolume *v, Parts *ret) {
    ret->volume = v;
    ret->mapping = find_mapping(p, v);
    if (ret->mapping)
        ret->stays_open = (v->top == ret->mapping && is_mounted_twice(p->facts, v)) ||
                          !is_our_mapping(p, v, ret->mapping);
    TRY(list_luks(p, ret));
    return list_names(p, ret);
}

/* --- steps ---------------------------------------------------------------------------------- */

static int check_holders(const Block *b, const Block *but, Refusal *ret) {
    for (char *const *h = b->holders; h && *h; h++)
        if (!but || !streq(*h, but->name))
            return refuse(ret, "in-use", "%s is used by %s: stop that first", b->name, *h);
    return 0;
}

static int add_close(Planner *p, const Parts *a) {
    const FoundVolume *v = a->volume;
    const Block *mapping = a->mapping;

    if (!mapping)
        return 0;
    if (v->top == mapping && is_mounted_twice(p->facts, v))
        return planner_note(p, "%s stays open: it is mounted elsewhere, too",
                            mapping->dm_name ?: mapping->name);
    TRY(free_and_strdup(&p->plan->mapping, mapping->dm_name));
    if (a->stays_open)
        return planner_note(p, "%s stays open: somebody else has opened it",
                            mapping->dm_name ?: mapping->name);
    if (!v->mount)
        TRY_PLAN(check_unused(p->facts, mapping, NULL, p->refusal));
    TRY_PLAN(check_holders(mapping, NULL, p->refusal));
    return add(p, STEP_LUKS_CLOSE, mapping, mapping->dm_name,
               v->record ? v->record->luks_uuid : NULL);
}

static int add_stop(Planner *p, const Parts *a) {
    const FoundVolume *v = a->volume;
    const Block *array = v->record ? facts_find_array(p->facts, v->record->array_uuid) : NULL;

    if (!array || (v->top == array && is_mounted_twice(p->facts, v)))
        return 0;
    TRY_PLAN(check_holders(array, a->mapping, p->refusal));
    return add(p, STEP_RAID_STOP, array, v->record->array_name, v->record->array_uuid);
}

static int check_writable(Planner *p, const char *table, const char *target) {
    return p->facts->tabs_read_only
               ? refuse(p->refusal, "read-only",
                        "the line for %s in %s cannot be removed: /etc is read-only", target, table)
               : 0;
}

static int add_fstab(Planner *p, const FoundVolume *v) {
    if (!v->path)
        return 0;
    if (find_fstab(p->facts, v->path, true)) {
        TRY_PLAN(check_writable(p, "fstab", v->path));
        TRY(add(p, STEP_FSTAB_REMOVE, NULL, v->path, NULL));
    }
    return find_fstab(p->facts, v->path, false)
               ? planner_note(p,
                              "fstab has a line for %s that somebody else wrote: it is left as it "
                              "is",
                              v->path)
               : 0;
}

/* While it stays open the line and the key are of use to whoever uses it. */
static bool is_needed(const Parts *a, const char *name) {
    return a->mapping && a->stays_open && streq_ptr(a->mapping->dm_name, name);
}

static int add_crypttab(Planner *p, const Parts *a) {
    for (char *const *n = a->names; n && *n; n++)
        if (find_crypttab(p->facts, *n, true) && !is_needed(a, *n)) {
            TRY_PLAN(check_writable(p, "crypttab", *n));
            TRY(add(p, STEP_CRYPTTAB_REMOVE, NULL, *n, NULL));
        } else if (find_crypttab(p->facts, *n, false))
            TRY(planner_note(p,
                             "crypttab has a line for %s that somebody else wrote: it is left as "
                             "it is",
                             *n));
    return 0;
}

/* A key that is there, or that a record says was sealed, or was about to be. */
static int add_keys(Planner *p, const Parts *a) {
    for (char *const *n = a->names; n && *n; n++)
        if ((a->is_sealed || list_has(p->facts->sealed, *n)) && !is_needed(a, *n))
            TRY(add(p, STEP_KEY_REMOVE, NULL, *n, NULL));
    return 0;
}

static bool is_seen(const Facts *f, const char *source) {
    for (size_t i = 0; i < f->n_blocks; i++)
        if (block_is_source(&f->blocks[i], source))
            return true;
    return false;
}

/* Without a record nobody knows which file system is in which closed device. */
static int note_closed(Planner *p, const FoundVolume *v) {
    if (v->record || v->top)
        return 0;
    for (size_t i = 0; v->path && i < p->facts->n_crypttab; i++) {
        const TabEntry *e = &p->facts->crypttab[i];

        if (e->ours && !facts_find_mapping(p->facts, text_after(e->source, "UUID=")))
            TRY(planner_note(p,
                             "crypttab has our line for %s, which is closed: if that belonged to "
                             "%s, repeat this with the name %s",
                             e->target, v->path, e->target));
    }
    for (size_t i = 0; !v->path && i < p->facts->n_fstab; i++) {
        const TabEntry *e = &p->facts->fstab[i];

        if (e->ours && !is_seen(p->facts, e->source))
            TRY(planner_note(p,
                             "fstab has our line for %s, whose file system is not there: if that "
                             "belonged to it, repeat this with the name %s",
                             e->target, e->target));
    }
    return 0;
}

/* What a volume without a record lies on: a repetition is led by that to what is left. */
static int take_disk(Planner *p, const FoundVolume *v) {
    const Block *b = v->top ?: v->device;
    _cleanup_free_ char *identity = NULL;

    while (b && b->slaves && *b->slaves && !b->slaves[1] && facts_find(p->facts, *b->slaves) &&
           b->type == BLOCK_CRYPT)
        b = facts_find(p->facts, *b->slaves);
    if (!b)
        return 0;
    TRY(block_identity(b, &identity));
    return text_add(&p->plan->disks, "%s", identity);
}

static int init_plan(const FoundVolume *v, Plan *plan) {
    const Plan *record = v->record;

    if (record) {
        TRY(fields_copy(&volume_request_table, &record->request, &plan->request));
        memcpy(plan->id, record->id, sizeof(plan->id));
        TRY(free_and_strdup(&plan->array_name, record->array_name));
        TRY(free_and_strdup(&plan->array_uuid, record->array_uuid));
        TRY(free_and_strdup(&plan->luks_uuid, record->luks_uuid));
        TRY(free_and_strdup(&plan->mapping, record->mapping));
        TRY(free_and_strdup(&plan->fs_uuid, record->fs_uuid));
    } else
        plan->request.raid_level = -1;
    if (!v->path)
        return 0;
    TRY(free_and_strdup(&plan->request.mount_point, v->path));
    return free_and_strdup(&plan->fs_type, v->mount ? v->mount->fs_type
                                           : record ? record->fs_type
                                                    : NULL);
}

/* Of a volume without a record: what leads to the mapping when the file system is unmounted. */
static int take_mapping(Planner *p, const Parts *a) {
    TRY(free_and_strdup(&p->plan->mapping, a->names ? a->names[0] : NULL));
    TRY(free_and_strdup(&p->plan->luks_uuid, a->luks ? a->luks[0] : NULL));
    return take_disk(p, a->volume);
}

static int plan_parts(Planner *p, const Parts *a) {
    const FoundVolume *v = a->volume;

    TRY(init_plan(v, p->plan));
    if (!v->record)
        TRY(take_mapping(p, a));
    if (v->path)
        TRY_PLAN(check_below(p->facts, v, p->refusal));
    if (v->mount)
        TRY(add(p, STEP_UNMOUNT, v->top, v->path, NULL));
    TRY_PLAN(add_close(p, a));
    TRY_PLAN(add_stop(p, a));
    TRY_PLAN(add_fstab(p, v));
    TRY(add_keys(p, a)); /* first: the line leads to its name after a cut */
    TRY_PLAN(add_crypttab(p, a));
    TRY(note_closed(p, v));
    TRY_PLAN(planner_check_programs(p));
    p->plan->complete = p->plan->n_steps == 0;
    return 0;
}

static int plan_steps(Planner *p, const FoundVolume *v) {
    _cleanup_(parts_done) Parts a = {};

    TRY(find_parts(p, v, &a));
    return plan_parts(p, &a);
}

/* A directory, and no volume is known of it: it may be that of one that was unmounted before. */
static int plan_nothing(const Facts *f, const char *name, Plan *ret, Refusal *refusal) {
    if (!streq(refusal->code, "missing") || !streq_ptr(f->place, name) ||
        (f->place_type != PLACE_EMPTY && f->place_type != PLACE_FULL))
        return 1;
    refusal_done(refusal);
    ret->request.raid_level = -1;
    ret->complete = true;
    return free_and_strdup(&ret->request.mount_point, name);
}

int plan_remove(const Facts *f, const char *name, const Plan *records, size_t n_records, Plan *ret,
                Refusal *ret_refusal) {
    Planner p = {.facts = f,
                 .records = records,
                 .n_records = n_records,
                 .plan = ret,
                 .refusal = ret_refusal};
    FoundVolume v;
    int r;

    *ret = (Plan){};
    *ret_refusal = (Refusal){};
    r = find_volume(f, name, records, n_records, &v, ret_refusal);
    r = r == 0 ? plan_steps(&p, &v) : r == 1 ? plan_nothing(f, name, ret, ret_refusal) : r;
    if (r != 0)
        plan_done(ret);
    if (r < 0)
        refusal_done(ret_refusal);
    return r;
}
