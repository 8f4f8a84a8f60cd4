/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/upper.h"

#include "volume/block.h"
#include "volume/place.h"
#include "volume/refuse.h"

/* The device with the file system: it is there, or will be. */
static int add_top(Planner *p, Step *s) {
    _cleanup_free_ char *path = NULL;

    if (p->top)
        return step_add_block(s, p->top);
    TRY(p->plan->mapping ? planner_mapping_path(p, &path) : planner_array_path(p, &path));
    return step_add_path(s, path);
}

static int add(Planner *p, StepType type, StepState state, const char *result, const char *uuid) {
    Step *s;

    TRY(planner_add(p, type, state, &s));
    TRY(add_top(p, s));
    return step_set(s, result, uuid);
}

static int add_key(Planner *p) {
    return p->request->unlock_at_boot
               ? add(p, STEP_SEAL_KEY, planner_state(p, STEP_SEAL_KEY), NULL, p->plan->luks_uuid)
               : 0;
}

static int check_writable_tab(Planner *p, const char *name) {
    return p->facts->tabs_read_only
               ? refuse(p->refusal, "read-only",
                        "/etc/%s cannot be written: /etc is read-only. With persistent = false the "
                        "volume is mounted until the next boot",
                        name)
               : 0;
}

static bool is_luks_source(const Planner *p, const TabEntry *e) {
    return uuid_is(text_after(e->source, "UUID="), p->plan->luks_uuid) ||
           (p->raw && block_is_source(p->raw, e->source));
}

/* A line of somebody else for the same device is used as it is. */
static int add_crypttab(Planner *p) {
    if (!p->plan->mapping || !p->request->encrypted || !p->request->persistent)
        return 0;
    for (size_t i = 0; i < p->facts->n_crypttab; i++) {
        const TabEntry *e = &p->facts->crypttab[i];

        if (!streq(e->target, p->plan->mapping) || !is_luks_source(p, e))
            continue;
        return e->ours ? add(p, STEP_CRYPTTAB, STEP_DONE, p->plan->mapping, p->plan->luks_uuid)
                       : planner_note(p,
                                      "the line of %s in crypttab was written by somebody else "
                                      "and is left as it is",
                                      e->target);
    }
    TRY_PLAN(check_writable_tab(p, "crypttab"));
    return add(p, STEP_CRYPTTAB, STEP_PENDING, p->plan->mapping, p->plan->luks_uuid);
}

static int add_directory(Planner *p) {
    const StepState state = p->facts->place_type == PLACE_ABSENT ? STEP_PENDING : STEP_DONE;

    /* one that was there before is nobody's step */
    if (state == STEP_DONE && !planner_has(p, STEP_DIRECTORY))
        return 0;
    return add(p, STEP_DIRECTORY, state, p->request->mount_point, NULL);
}

/* By what is on the device now, and will be overwritten. */
static bool is_about_the_old(const Planner *p, const char *source) {
    static const char *const kinds[] = {"UUID=", "LABEL=", "/dev/disk/by-uuid/",
                                        "/dev/disk/by-label/"};

    if (!p->request->format || planner_state(p, STEP_FORMAT) == STEP_DONE)
        return false;
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (text_after(source, kinds[i]))
            return true;
    return false;
}

/* Whether a line means this file system. */
static bool is_source(const Planner *p, const TabEntry *e) {
    const char *mapping = text_after(e->source, "/dev/mapper/");

    return uuid_is(text_after(e->source, "UUID="), p->plan->fs_uuid) ||
           uuid_is(text_after(e->source, "/dev/disk/by-uuid/"), p->plan->fs_uuid) ||
           (p->top && block_is_source(p->top, e->source) && !is_about_the_old(p, e->source)) ||
           (mapping && streq_ptr(mapping, p->plan->mapping));
}

static int check_foreign_line(Planner *p, const TabEntry *e) {
    const char *type = p->request->fs_type;

    if (!is_source(p, e))
        return refuse(p->refusal, "fstab",
                      "fstab has a line for %s, for another device: %s. Remove it first, or name "
                      "another mount point",
                      e->target, e->source);
    if (e->fs_type && !streq(e->fs_type, type) && !streq(e->fs_type, "auto"))
        return refuse(p->refusal, "fstab",
                      "fstab has a line for %s with file system %s, but the request says %s",
                      e->target, e->fs_type, type);
    return planner_note(
        p, "the line of %s in fstab was written by somebody else and is left as it is", e->target);
}

/* Ours is replaced if an earlier run of this request wrote it. */
static int check_own_line(Planner *p, const TabEntry *e) {
    if (is_source(p, e) ||
        (p->previous && uuid_is(text_after(e->source, "UUID="), p->previous->fs_uuid)))
        return 0;
    return refuse(p->refusal, "fstab",
                  "%s is the mount point of another volume, %s. Give that up first with "
                  "unmount_volume, or name another mount point",
                  e->target, e->source);
}

static int add_fstab(Planner *p) {
    const TabEntry *own = find_fstab(p->facts, p->request->mount_point, true);
    bool is_foreign = false;

    for (size_t i = 0; i < p->facts->n_fstab; i++) {
        const TabEntry *e = &p->facts->fstab[i];

        if (!streq(e->target, p->request->mount_point))
            continue;
        TRY_PLAN(e->ours ? check_own_line(p, e) : check_foreign_line(p, e));
        is_foreign = is_foreign || !e->ours;
    }
    if (!p->request->persistent || is_foreign)
        return 0;
    if (own && is_source(p, own))
        return add(p, STEP_FSTAB, STEP_DONE, p->request->mount_point, p->plan->fs_uuid);
    TRY_PLAN(check_writable_tab(p, "fstab"));
    return add(p, STEP_FSTAB, STEP_PENDING, p->request->mount_point, p->plan->fs_uuid);
}

static int add_mount(Planner *p) {
    const char *path = p->request->mount_point;
    const bool is_mounted = p->top && facts_find_mount(p->facts, p->top, path);

    return add(p, STEP_MOUNT, is_mounted ? STEP_DONE : STEP_PENDING, path, p->plan->fs_uuid);
}

/* No line gives what the volume lies on another use. */
static int check_lines(Planner *p) {
    const char *path = p->request->mount_point;

    for (size_t i = 0; i < p->n_members; i++)
        TRY_PLAN(check_claims(p->facts, p->members[i], path, p->plan->mapping, p->refusal));
    if (p->raw)
        TRY_PLAN(check_claims(p->facts, p->raw, path, p->plan->mapping, p->refusal));
    return p->top ? check_claims(p->facts, p->top, path, NULL, p->refusal) : 0;
}

int plan_upper(Planner *p) {
    TRY_PLAN(check_lines(p));
    TRY_PLAN(check_place(p->facts, p->request->mount_point, p->top, p->refusal));
    TRY_PLAN(check_above(p->facts, p->request->mount_point, p->refusal));
    if (p->plan->more)
        return planner_note(p, "the next steps can only be decided when these have run");
    TRY(add_key(p));
    TRY_PLAN(add_crypttab(p));
    TRY(add_directory(p));
    TRY_PLAN(add_fstab(p));
    return add_mount(p);
}
