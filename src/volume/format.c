/* SPDX-License-Identifier: Apache-2.0 */
/* A step that is not done may write to its device only if that is blank, or - the step was begun -
 * holds nothing but what this step makes, with the UUID that was chosen for it, or - force - holds
 * what the request gives up. */
#include "volume/format.h"

#include "basic/strv.h"
#include "volume/block.h"
#include "volume/check.h"
#include "volume/layers.h"
#include "volume/members.h"
#include "volume/refuse.h"

#define MIB ((uint64_t)1 << 20)
#define LUKS_BYTES (32 * MIB) /* the header of LUKS2 has 16 MiB; some are left for data */
#define MEMBER_BYTES                                                                               \
    (4 * MIB) /* superblock, bitmap and what mdadm(8) leaves free, of small disks */

static const struct {
    const char *name;
    uint64_t min_bytes; /* as their mkfs demands, rounded up */
} file_systems[] = {{"ext3", 8 * MIB}, {"ext4", 8 * MIB}, {"xfs", 300 * MIB}, {"btrfs", 128 * MIB}};

static unsigned min_devices(int level) {
    switch (level) {
    case 0:
    case 1:
        return 2;
    case 4:
    case 5:
        return 3;
    default:
        return 4;
    }
}

/* What is left for data, of disks of which the smallest has `min` bytes, and all have `sum`. */
static uint64_t capacity(int level, size_t n, uint64_t min, uint64_t sum) {
    switch (level) {
    case -1:
        return sum;
    case 0:
        return sum - MIN(sum, n * MEMBER_BYTES);
    case 1:
        return min - MIN(min, MEMBER_BYTES);
    case 4:
    case 5:
        return (min - MIN(min, MEMBER_BYTES)) * (n - 1);
    case 6:
        return (min - MIN(min, MEMBER_BYTES)) * (n - 2);
    default:
        return (min - MIN(min, MEMBER_BYTES)) * n / 2;
    }
}

static uint64_t needed(const VolumeRequest *q) {
    uint64_t bytes = q->encrypted ? LUKS_BYTES : 0;

    for (size_t i = 0; i < ELEMENTSOF(file_systems); i++)
        if (streq(file_systems[i].name, q->fs_type))
            bytes += file_systems[i].min_bytes;
    return bytes;
}

static int note_sizes(Planner *p, uint64_t min, uint64_t max) {
    char smallest[SIZE_TEXT], greatest[SIZE_TEXT];

    if (p->request->raid_level <= 0 || min == max)
        return 0;
    size_to_text(min, smallest);
    size_to_text(max, greatest);
    return planner_note(p,
                        "the devices differ in size: of each only the size of the smallest (%s; "
                        "the largest has %s) is used",
                        smallest, greatest);
}

int plan_check_sizes(Planner *p) {
    const int level = p->request->raid_level;
    uint64_t min = UINT64_MAX, max = 0, sum = 0, bytes;
    char has[SIZE_TEXT], needs[SIZE_TEXT];

    if (level >= 0 && p->n_members < min_devices(level))
        return refuse(p->refusal, "too-few",
                      "RAID%d needs at least %u devices; the request has %zu", level,
                      min_devices(level), p->n_members);
    for (size_t i = 0; i < p->n_members; i++) {
        min = MIN(min, p->members[i]->size_bytes);
        max = MAX(max, p->members[i]->size_bytes);
        sum += p->members[i]->size_bytes;
    }
    bytes = capacity(level, p->n_members, min, sum);
    if (bytes >= needed(p->request))
        return note_sizes(p, min, max);
    size_to_text(bytes, has);
    size_to_text(needed(p->request), needs);
    return refuse(p->refusal, "too-small",
                  "%s%s needs %s, but the device%s %s have room for %s: name larger ones",
                  p->request->fs_type, p->request->encrypted ? " with encryption" : "", needs,
                  p->n_members == 1 ? "" : "s", p->n_members == 1 ? "would" : "together", has);
}

static bool is_writing(StepType type) {
    return type == STEP_WIPE || type == STEP_RAID_CREATE || type == STEP_LUKS_FORMAT ||
           type == STEP_FORMAT;
}

static void look_at(const Step *steps, size_t n, bool *is_begun, bool *is_left) {
    for (size_t i = 0; i < n; i++)
        if (is_writing(steps[i].type)) {
            *is_begun = *is_begun || steps[i].state != STEP_PENDING;
            *is_left = *is_left || steps[i].state != STEP_DONE;
        }
}

/* Begun to write, and not through with it. */
static bool is_unfinished(const Plan *record) {
    bool is_begun = false, is_left = false;

    look_at(record->steps, record->n_steps, &is_begun, &is_left);
    look_at(record->later, record->n_later, &is_begun, &is_left);
    return is_begun && is_left;
}

int plan_check_unfinished(Planner *p) {
    for (size_t i = 0; i < p->n_records; i++) {
        const Plan *record = &p->records[i];

        if (streq(record->id, p->plan->id) || !is_unfinished(record))
            continue;
        for (size_t j = 0; p->request->devices[j]; j++)
            if (members_have(record, p->plan->disks[j]))
                return refuse(p->refusal, "unfinished",
                              "another request, for %s, has begun to write to %s and did not end. "
                              "Repeat that request, or give it up with unmount_volume for %s",
                              strempty(record->request.mount_point), p->request->devices[j],
                              strempty(record->request.mount_point));
    }
    return 0;
}

/* What a step writes, and how far it was. */
typedef struct Write {
    StepType type;
    StepState state;
    const char *signature; /* what it leaves on the device */
    const char *uuid;
    bool is_first; /* the first step to write to these devices: `force` counts */
} Write;

/* The array or the mapping that this very request has made, as its record says. */
static bool is_made(const Planner *p, const Block *b) {
    if (planner_state(p, STEP_RAID_CREATE) != STEP_PENDING &&
        b == facts_find_array(p->facts, p->plan->array_uuid))
        return true;
    return planner_state(p, STEP_LUKS_FORMAT) == STEP_DONE &&
           b == facts_find_mapping(p->facts, p->plan->luks_uuid);
}

/* Nobody has written anything to it. */
static bool is_free(const Planner *p, const Block *b) {
    return b->probe_error == 0 &&
           (is_made(p, b) ? is_unsigned(p->facts, b) : is_blank(p->facts, b));
}

/* Whether all that is on it was made by this step: none leaves random data where it begins. */
static bool is_ours(const Facts *f, const Block *b, const Write *w) {
    if (has_random_data(b))
        return false;
    for (size_t i = 0; i < b->n_signatures; i++)
        if (!streq(b->signatures[i].type, w->signature) || !uuid_is(b->signatures[i].uuid, w->uuid))
            return false;
    for (size_t i = 0; i < f->n_blocks; i++)
        if (streq_ptr(f->blocks[i].parent, b->name))
            return false;
    return true;
}

static void list_free(char ***list) {
    strv_free(*list);
}

/* The request gives up what is on it: now, or - the wiping was cut - as the record says. */
static int may_wipe(Planner *p, const Block *b, const Write *w, bool *ret) {
    _cleanup_(list_free) char **content = NULL;
    const bool is_recorded = planner_has(p, STEP_WIPE) && planner_state(p, STEP_WIPE) != STEP_DONE;

    *ret = false;
    if (b->probe_error != 0 || w->state != STEP_PENDING)
        return 0;
    if (p->earlier && !is_recorded)
        return 0;
    *ret = p->request->force;
    if (*ret || !is_recorded)
        return 0;
    TRY(list_content(p->facts, b, &content));
    *ret = true;
    for (char **c = content; c && *c; c++)
        *ret = *ret && p->earlier && list_has(p->earlier->overwrites, *c);
    return 0;
}

/* Appends what will be lost. */
static int give_up(Planner *p, const Block *b) {
    _cleanup_(list_free) char **content = NULL;

    TRY(list_content(p->facts, b, &content));
    for (char **c = content; c && *c; c++)
        if (!list_has(p->plan->overwrites, *c))
            TRY(text_add(&p->plan->overwrites, "%s", *c));
    return 0;
}

/* Whether the step may write to it. *wipe: what is on it goes first, as `force` says; *ours: as it
 * is ours. */
static int check_write(Planner *p, const Block *b, const Write *w, bool *wipe, bool *ours) {
    const char *own_array = w->type == STEP_RAID_CREATE && w->state == STEP_BEGUN ? w->uuid : NULL;
    bool may = false;

    TRY_PLAN(check_target(p->facts, b, own_array, p->refusal));
    if (is_free(p, b)) {
        *ours = *ours || (own_array && facts_find_array(p->facts, own_array));
        return 0;
    }
    if (b->probe_error == 0 && w->state == STEP_BEGUN && is_ours(p->facts, b, w)) {
        *ours = true;
        return 0;
    }
    TRY(may_wipe(p, b, w, &may));
    if (!may)
        return check_blank(p->facts, b, p->refusal);
    *wipe = true;
    return give_up(p, b);
}

/* Of all devices that were to be wiped; the state goes back if something has to be wiped again. */
static int add_wipe(Planner *p, const Block *const *blocks, size_t n, bool wipe) {
    const StepState state = planner_state(p, STEP_WIPE);
    Step *s;

    if (!wipe && !planner_has(p, STEP_WIPE))
        return 0;
    for (char *const *c = p->earlier ? p->earlier->overwrites : NULL; c && *c; c++)
        if (!list_has(p->plan->overwrites, *c))
            TRY(text_add(&p->plan->overwrites, "%s", *c));
    TRY(planner_add(p, STEP_WIPE, state, &s));
    for (size_t i = 0; i < n; i++)
        TRY(step_add_block(s, blocks[i]));
    return 0;
}

static int add_write(Planner *p, const Write *w, const Block *b, const char *result, bool ours,
                     Step **ret) {
    TRY(planner_add(p, w->type, w->state, ret));
    (*ret)->wipe_first = ours;
    if (b)
        TRY(step_add_block(*ret, b));
    return step_set(*ret, result, w->uuid);
}

/* The layers below have not been made. */
static int check_pending(Planner *p, StepType type) {
    return planner_state(p, type) == STEP_PENDING
               ? 0
               : refuse(p->refusal, "record",
                        "the record of this request contradicts itself: the step %s was begun "
                        "before the one that it needs was done. See /var/lib/dcm-volumes/%s.json",
                        step_type_to_string(type), p->plan->id);
}

/* An array whose making was cut is blank as long as nobody has used it. */
static int check_cut_array(Planner *p, const Write *w) {
    const Block *array =
        w->state == STEP_BEGUN ? facts_find_array(p->facts, p->plan->array_uuid) : NULL;

    if (!array || is_free(p, array))
        return 0;
    return p->request->force ? give_up(p, array) : check_blank(p->facts, array, p->refusal);
}

static int plan_array(Planner *p) {
    Write w = {STEP_RAID_CREATE, planner_state(p, STEP_RAID_CREATE), "linux_raid_member",
               p->plan->array_uuid, true};
    _cleanup_free_ char *path = NULL;
    bool wipe = false, ours = false;
    Step *s;

    if (w.state == STEP_DONE)
        TRY_PLAN(add_wipe(p, p->members, p->n_members, false));
    else
        for (size_t i = 0; i < p->n_members; i++)
            TRY_PLAN(check_write(p, p->members[i], &w, &wipe, &ours));
    TRY_PLAN(check_cut_array(p, &w));
    if (w.state != STEP_DONE)
        TRY(add_wipe(p, p->members, p->n_members, wipe));
    TRY(planner_array_path(p, &path));
    TRY(add_write(p, &w, NULL, path, ours, &s));
    for (size_t i = 0; i < p->n_members; i++)
        TRY(step_add_block(s, p->members[i]));
    p->raw = NULL;
    return w.state == STEP_DONE ? plan_existing_array(p, p->plan->array_uuid) : 0;
}

/* A step that writes to one device, which is there: `b`, or will be: `path`. */
static int plan_write(Planner *p, const Write *w, const Block *b, const char *path,
                      const char *result) {
    bool wipe = false, ours = false;
    Step *s;

    if (!b) {
        TRY_PLAN(check_pending(p, w->type));
        TRY(add_write(p, w, NULL, result, false, &s));
        return step_add_path(s, path);
    }
    if (w->state != STEP_DONE)
        TRY_PLAN(check_write(p, b, w, &wipe, &ours));
    if (w->is_first)
        TRY(add_wipe(p, &b, 1, wipe));
    return add_write(p, w, b, result, ours, &s);
}

static int add_open(Planner *p, const char *raw) {
    _cleanup_free_ char *path = NULL;
    Step *s;

    TRY(planner_add(p, STEP_LUKS_OPEN, STEP_PENDING, &s));
    TRY(p->raw ? step_add_block(s, p->raw) : step_add_path(s, raw));
    TRY(planner_mapping_path(p, &path));
    return step_set(s, path, p->plan->luks_uuid);
}

static int plan_luks(Planner *p) {
    const Write w = {STEP_LUKS_FORMAT, planner_state(p, STEP_LUKS_FORMAT), "crypto_LUKS",
                     p->plan->luks_uuid, p->request->raid_level < 0};
    _cleanup_free_ char *array = NULL;

    if (p->plan->array_name)
        TRY(planner_array_path(p, &array));
    TRY_PLAN(plan_write(p, &w, p->raw, array, NULL));
    p->top = NULL;
    return p->raw && w.state == STEP_DONE ? plan_existing_luks(p, p->plan->luks_uuid)
                                          : add_open(p, array);
}

static int plan_file_system(Planner *p) {
    const Write w = {STEP_FORMAT, planner_state(p, STEP_FORMAT), p->request->fs_type,
                     p->plan->fs_uuid, p->request->raid_level < 0 && !p->request->encrypted};
    _cleanup_free_ char *path = NULL;

    if (p->request->encrypted)
        TRY(planner_mapping_path(p, &path));
    else if (p->plan->array_name)
        TRY(planner_array_path(p, &path));
    TRY_PLAN(plan_write(p, &w, p->top, path, NULL));
    return p->top && w.state == STEP_DONE ? plan_existing_file_system(p, p->plan->fs_uuid) : 0;
}

/* The UUIDs and names of the record, or new ones. */
static int take_identity(Planner *p) {
    const Plan *e = p->earlier;
    const bool has_array = p->request->raid_level >= 0, has_luks = p->request->encrypted;

    if (e) {
        if (!e->fs_uuid || (has_array && (!e->array_uuid || !e->array_name)) ||
            (has_luks && (!e->luks_uuid || !e->mapping)))
            return refuse(p->refusal, "record",
                          "the record of this request is incomplete: see "
                          "/var/lib/dcm-volumes/%s.json",
                          p->plan->id);
        TRY(free_and_strdup(&p->plan->array_uuid, has_array ? e->array_uuid : NULL));
        TRY(free_and_strdup(&p->plan->array_name, has_array ? e->array_name : NULL));
        TRY(free_and_strdup(&p->plan->luks_uuid, has_luks ? e->luks_uuid : NULL));
        TRY(free_and_strdup(&p->plan->mapping, has_luks ? e->mapping : NULL));
        return free_and_strdup(&p->plan->fs_uuid, e->fs_uuid);
    }
    if (has_array) {
        TRY(planner_new_uuid(p, &p->plan->array_uuid));
        TRY(planner_name_array(p));
    }
    if (has_luks) {
        TRY(planner_new_uuid(p, &p->plan->luks_uuid));
        TRY(planner_name_mapping(p));
    }
    return planner_new_uuid(p, &p->plan->fs_uuid);
}

int plan_format(Planner *p) {
    TRY_PLAN(take_identity(p));
    p->raw = p->members[0];
    if (p->request->raid_level >= 0)
        TRY_PLAN(plan_array(p));
    if (p->plan->more)
        return 0;
    if (p->request->encrypted)
        TRY_PLAN(plan_luks(p));
    else
        p->top = p->raw;
    return p->plan->more ? 0 : plan_file_system(p);
}
