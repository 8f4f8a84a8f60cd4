/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/plan-mount.h"

#include "basic/strv.h"
#include "volume/block.h"
#include "volume/check.h"
#include "volume/format.h"
#include "volume/layers.h"
#include "volume/members.h"
#include "volume/refuse.h"
#include "volume/upper.h"

static int init_plan(const VolumeRequest *q, Plan *ret) {
    *ret = (Plan){};
    TRY(fields_copy(&volume_request_table, q, &ret->request));
    volume_request_id(q, ret->id);
    return free_and_strdup(&ret->fs_type, q->fs_type);
}

static const Plan *find_record(const Planner *p) {
    for (size_t i = 0; i < p->n_records; i++)
        if (streq(p->records[i].id, p->plan->id))
            return &p->records[i];
    return NULL;
}

/* The record counts if it is about the same disks. Is it about others, which are gone, the request
 * means what is attached instead; are they still there, it is not clear what is meant. */
static int take_record(Planner *p) {
    const Block *b;

    p->earlier = p->is_anew ? NULL : p->previous;
    for (char *const *d = p->previous ? p->previous->disks : NULL; d && *d; d++) {
        if (members_have(p->plan, *d))
            continue;
        TRY(members_find_identity(p->facts, *d, &b));
        if (b)
            return refuse(p->refusal, "other-disk",
                          "the same request was made before, and then meant %s, which is now "
                          "called %s. Name the device by a link below /dev/disk/by-id",
                          *d, b->name);
        p->earlier = NULL;
    }
    return p->previous && !p->earlier && !p->is_anew
               ? planner_note(p, "the same request was made before for disks that are not attached "
                                 "any more; it begins anew with those that are")
               : 0;
}

static int check_root(Planner *p) {
    for (size_t i = 0; i < p->n_members; i++)
        if (is_root_disk(p->facts, p->members[i]))
            return check_target(p->facts, p->members[i], NULL, p->refusal);
    return 0;
}

static int plan_existing(Planner *p) {
    p->raw = p->members[0];
    if (p->request->raid_level >= 0)
        TRY_PLAN(plan_existing_array(p, NULL));
    if (p->plan->more)
        return 0;
    TRY_PLAN(plan_existing_luks(p, NULL));
    return p->plan->more ? 0 : plan_existing_file_system(p, NULL);
}

static void finish(Plan *plan) {
    plan->complete = !plan->more;
    for (size_t i = 0; i < plan->n_steps; i++)
        plan->complete = plan->complete && plan->steps[i].state == STEP_DONE;
}

/* The file system of the record, which is not made again. */
static bool was_mounted(const Planner *p) {
    return p->earlier && planner_state(p, STEP_FORMAT) == STEP_DONE &&
           (p->earlier->was_mounted || planner_state(p, STEP_MOUNT) == STEP_DONE);
}

static int plan_volume(Planner *p) {
    p->previous = find_record(p);
    TRY_PLAN(members_find(p));
    TRY_PLAN(check_root(p));
    TRY_PLAN(members_list(p));
    TRY_PLAN(take_record(p));
    TRY_PLAN(members_check(p));
    TRY_PLAN(plan_check_unfinished(p));
    if (p->request->format && !p->absent)
        TRY_PLAN(plan_check_sizes(p));
    TRY_PLAN(p->request->format ? plan_format(p) : plan_existing(p));
    TRY_PLAN(plan_upper(p));
    TRY_PLAN(planner_check_programs(p));
    if (p->plan->more)
        TRY(planner_keep_later(p));
    p->plan->was_mounted = was_mounted(p);
    finish(p->plan);
    return 0;
}

/* With `force` a record that does not fit what is on the disks any more is worth nothing, either.
 */
static bool may_begin_anew(const Planner *p) {
    return p->earlier && p->request->format && p->request->force &&
           (streq(p->refusal->code, "gone") || streq(p->refusal->code, "signature"));
}

static int run(Planner *p) {
    int r;

    r = init_plan(p->request, p->plan);
    if (r >= 0)
        r = plan_volume(p);
    if (r != 0)
        plan_done(p->plan);
    strv_free(p->absent);
    p->absent = NULL;
    return r;
}

static int count_devices(Planner *p) {
    for (char *const *d = p->request->devices; d && *d; d++)
        if (++p->n_members > VOLUME_DEVICES_MAX)
            return -E2BIG;
    if (p->n_members > 1 && p->request->raid_level < 0)
        return refuse(p->refusal, "too-many",
                      "raidLevel is NONE, but there are %zu devices: name one, or a level",
                      p->n_members);
    return 0;
}

/* As the old agent: without devices there is nothing to do. */
static int plan_nothing(Planner *p) {
    TRY(init_plan(p->request, p->plan));
    p->plan->complete = true;
    return planner_note(p, "the request names no devices: there is nothing to do");
}

int plan_mount(const Facts *f, const VolumeRequest *q, const Plan *records, size_t n_records,
               UuidFunction uuid, void *userdata, Plan *ret, Refusal *ret_refusal) {
    Planner p = {.facts = f,
                 .request = q,
                 .records = records,
                 .n_records = n_records,
                 .uuid = uuid,
                 .userdata = userdata,
                 .plan = ret,
                 .refusal = ret_refusal};
    int r;

    *ret = (Plan){};
    *ret_refusal = (Refusal){};
    if (!streq_ptr(f->place, q->mount_point))
        return -EINVAL;
    TRY_PLAN(count_devices(&p));
    if (p.n_members == 0)
        return plan_nothing(&p);
    r = run(&p);
    if (r == 1 && may_begin_anew(&p)) {
        refusal_done(ret_refusal);
        p.is_anew = true;
        r = run(&p);
    }
    if (r < 0)
        refusal_done(ret_refusal);
    return r;
}
