/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/plan-remove.h"

#include "volume/block.h"
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

/* The mapping below the file system, or the one that the record says, should that be blank yet. */
static const Block *find_mapping(const Planner *p, const FoundVolume *v) {
    if (v->top && v->top->type == BLOCK_CRYPT)
        return v->top;
    return v->record ? facts_find_mapping(p->facts, v->record->luks_uuid) : NULL;
}

static const TabEntry *find_crypttab(const Facts *f, const char *name, bool ours) {
    for (size_t i = 0; name && i < f->n_crypttab; i++)
        if (streq(f->crypttab[i].target, name) && f->crypttab[i].ours == ours)
            return &f->crypttab[i];
    return NULL;
}

/* By the record, by our line, or by the name that the old agent gave. */
static bool is_our_mapping(const Planner *p, const FoundVolume *v, const Block *mapping) {
    const char *name = strempty(mapping->dm_name);

    return (v->record && facts_find_mapping(p->facts, v->record->luks_uuid) == mapping) ||
           find_crypttab(p->facts, name, true) ||
           (text_after(name, "es") && !find_crypttab(p->facts, name, false));
}

static int check_holders(const Block *b, const Block *but, Refusal *ret) {
    for (char *const *h = b->holders; h && *h; h++)
        if (!but || !streq(*h, but->name))
            return refuse(ret, "in-use", "%s is used by %s: stop that first", b->name, *h);
    return 0;
}

static int add_close(Planner *p, const FoundVolume *v) {
    const Block *mapping = find_mapping(p, v);

    if (!mapping || (v->top == mapping && is_mounted_twice(p->facts, v)))
        return mapping ? planner_note(p, "%s stays open: it is mounted elsewhere, too",
                                      mapping->dm_name ?: mapping->name)
                       : 0;
    TRY(free_and_strdup(&p->plan->mapping, mapping->dm_name));
    if (!is_our_mapping(p, v, mapping))
        return planner_note(p, "%s stays open: somebody else has opened it",
                            mapping->dm_name ?: mapping->name);
    TRY_PLAN(check_holders(mapping, NULL, p->refusal));
    return add(p, STEP_LUKS_CLOSE, mapping, mapping->dm_name,
               v->record ? v->record->luks_uuid : NULL);
}

static int add_stop(Planner *p, const FoundVolume *v) {
    const Block *array = v->record ? facts_find_array(p->facts, v->record->array_uuid) : NULL;

    if (!array || (v->top == array && is_mounted_twice(p->facts, v)))
        return 0;
    TRY_PLAN(check_holders(array, find_mapping(p, v), p->refusal));
    return add(p, STEP_RAID_STOP, array, v->record->array_name, v->record->array_uuid);
}

static int add_lines(Planner *p, const FoundVolume *v) {
    const char *mapping = p->plan->mapping ?: v->record ? v->record->mapping : NULL;
    const TabEntry *line = find_fstab(p->facts, v->path, true);

    if (line)
        TRY(add(p, STEP_FSTAB_REMOVE, NULL, v->path, NULL));
    if (find_fstab(p->facts, v->path, false))
        TRY(planner_note(p, "fstab has a line for %s that somebody else wrote: it is left as it is",
                         v->path));
    if (find_crypttab(p->facts, mapping, true))
        TRY(add(p, STEP_CRYPTTAB_REMOVE, NULL, mapping, NULL));
    else if (find_crypttab(p->facts, mapping, false))
        TRY(planner_note(p,
                         "crypttab has a line for %s that somebody else wrote: it is left as it "
                         "is",
                         mapping));
    if (p->facts->tabs_read_only && (line || find_crypttab(p->facts, mapping, true)))
        return refuse(p->refusal, "read-only",
                      "the lines for %s in fstab or crypttab cannot be removed: /etc is read-only",
                      v->path);
    return 0;
}

/* A key that the record says was sealed, or was about to be. */
static int add_key(Planner *p, const FoundVolume *v) {
    p->earlier = v->record;
    return planner_state(p, STEP_SEAL_KEY) != STEP_PENDING
               ? add(p, STEP_KEY_REMOVE, NULL, v->record->mapping, v->record->luks_uuid)
               : 0;
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
    TRY(free_and_strdup(&plan->request.mount_point, v->path));
    return free_and_strdup(&plan->fs_type, v->mount ? v->mount->fs_type
                                           : record ? record->fs_type
                                                    : NULL);
}

static int plan_steps(Planner *p, const FoundVolume *v) {
    TRY(init_plan(v, p->plan));
    TRY_PLAN(check_below(p->facts, v, p->refusal));
    if (v->mount)
        TRY(add(p, STEP_UNMOUNT, v->top, v->path, NULL));
    TRY_PLAN(add_close(p, v));
    TRY_PLAN(add_stop(p, v));
    TRY_PLAN(add_lines(p, v));
    TRY(add_key(p, v));
    TRY_PLAN(planner_check_programs(p));
    p->plan->complete = p->plan->n_steps == 0;
    return 0;
}

int plan_remove(const Facts *f, const char *name, const Plan *records, size_t n_records, Plan *ret,
                Refusal *ret_refusal) {
    Planner p = {.facts = f, .plan = ret, .refusal = ret_refusal};
    FoundVolume v;
    int r;

    *ret = (Plan){};
    *ret_refusal = (Refusal){};
    r = find_volume(f, name, records, n_records, &v, ret_refusal);
    if (r == 0)
        r = plan_steps(&p, &v);
    if (r != 0)
        plan_done(ret);
    if (r < 0)
        refusal_done(ret_refusal);
    return r;
}
