/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/upper.h"

#include "volume/block.h"
#include "volume/lines.h"
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

/* The line, should it not be there already as it is wanted. */
static int add_line(Planner *p, StepType type, const TabEntry *own, const char *result,
                    const char *uuid, const char *options) {
    const bool is_there = own && streq_ptr(own->options, options);

    TRY(add(p, type, is_there ? STEP_DONE : STEP_PENDING, result, uuid));
    return free_and_strdup(&p->plan->steps[p->plan->n_steps - 1].options, options);
}

static bool is_sealed(const Planner *p) {
    return p->plan->mapping && list_has(p->facts->sealed, p->plan->mapping);
}

/* That the record says it was sealed is not enough: another request may have removed it. */
static int add_key(Planner *p) {
    StepState state = planner_state(p, STEP_SEAL_KEY);

    if (!p->request->unlock_at_boot)
        return 0;
    if (state == STEP_DONE && !is_sealed(p))
        state = STEP_PENDING;
    return add(p, STEP_SEAL_KEY, state, NULL, p->plan->luks_uuid);
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

static const TabEntry *find_crypttab(const Planner *p) {
    for (size_t i = 0; p->plan->mapping && i < p->facts->n_crypttab; i++) {
        const TabEntry *e = &p->facts->crypttab[i];

        if (streq(e->target, p->plan->mapping) && is_luks_source(p, e))
            return e;
    }
    return NULL;
}

/* A line of somebody else for the same device is used as it is. */
static int add_crypttab(Planner *p) {
    const char *options = lines_crypttab_options(p->request->unlock_at_boot);
    const TabEntry *e = find_crypttab(p);

    if (!p->plan->mapping || !p->request->encrypted || !p->request->persistent)
        return 0;
    if (e && !e->ours)
        return planner_note(p,
                            "the line of %s in crypttab was written by somebody else and is left "
                            "as it is",
                            e->target);
    if (!e || !streq_ptr(e->options, options))
        TRY_PLAN(check_writable_tab(p, "crypttab"));
    return add_line(p, STEP_CRYPTTAB, e, p->plan->mapping, p->plan->luks_uuid, options);
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

static bool is_mounted_there(const Planner *p) {
    return p->top && facts_find_mount(p->facts, p->top, p->request->mount_point);
}

/* Who mounts what somebody has unlocked, without its key, says nothing about the boot. */
static bool is_noauto(const Planner *p, const TabEntry *own) {
    if (p->request->encrypted)
        return !p->request->unlock_at_boot;
    return p->plan->mapping && own && mount_options_have(own->options, "noauto");
}

/* Ours, which is not there, or for what was there before, or with other options. */
static int add_own_fstab(Planner *p, const TabEntry *own) {
    _cleanup_free_ char *options = NULL;

    if (own && !(is_source(p, own) && streq_ptr(own->fs_type, p->request->fs_type)))
        own = NULL;
    TRY(lines_fstab_options(p->request, is_noauto(p, own), &options));
    if (!own || !streq_ptr(own->options, options))
        TRY_PLAN(check_writable_tab(p, "fstab"));
    if (own && !streq_ptr(own->options, options) && is_mounted_there(p))
        TRY(planner_note(p,
                         "the line of %s in fstab gets other options: they count when it is "
                         "mounted the next time",
                         p->request->mount_point));
    return add_line(p, STEP_FSTAB, own, p->request->mount_point, p->plan->fs_uuid, options);
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
    return !p->request->persistent || is_foreign ? 0 : add_own_fstab(p, own);
}

static int add_mount(Planner *p) {
    const char *path = p->request->mount_point;
    const bool is_mounted = is_mounted_there(p);

    return add(p, STEP_MOUNT, is_mounted ? STEP_DONE : STEP_PENDING, path, p->plan->fs_uuid);
}

static int add_removal(Planner *p, StepType type, const char *table, const char *result) {
    if (p->facts->tabs_read_only)
        return planner_note(p, "the line of %s in %s stays: /etc is read-only", result, table);
    return add(p, type, STEP_PENDING, result, NULL);
}

/* What an earlier request wanted, and this one does not. At the end: until then it is of use. */
static int add_removals(Planner *p) {
    const TabEntry *line = find_fstab(p->facts, p->request->mount_point, true);
    const TabEntry *crypt = find_crypttab(p);

    if (!p->request->persistent && line && is_source(p, line))
        TRY(add_removal(p, STEP_FSTAB_REMOVE, "fstab", line->target));
    if (!p->request->encrypted)
        return 0;
    if (!p->request->persistent && crypt && crypt->ours)
        TRY(add_removal(p, STEP_CRYPTTAB_REMOVE, "crypttab", crypt->target));
    if (p->request->unlock_at_boot || !is_sealed(p))
        return 0;
    return p->facts->tabs_read_only
               ? planner_note(p, "the sealed key of %s stays: /etc is read-only", p->plan->mapping)
               : add(p, STEP_KEY_REMOVE, STEP_PENDING, p->plan->mapping, p->plan->luks_uuid);
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
    TRY(add_mount(p));
    return add_removals(p);
}
