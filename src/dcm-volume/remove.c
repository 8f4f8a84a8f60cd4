/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/remove.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "dcm-volume/key.h"
#include "dcm-volume/planning.h"
#include "dcm-volume/record.h"
#include "dcm-volume/run.h"
#include "volume/find-volume.h"
#include "volume/plan-grow.h"
#include "volume/plan-remove.h"
#include "volume/refuse.h"

/* less than the time limit of the job of unmount_volume, so that the reply says why */
#define REMOVE_PATIENCE_USEC (300 * USEC_PER_SEC)

typedef struct Target {
    const char *name; /* of the volume, as the request has it */
    bool has_key;
} Target;

static int plan_removal(const Facts *f, const Plan *records, size_t n_records, void *userdata,
                        Plan *ret, Refusal *ret_refusal) {
    const Target *t = userdata;

    return plan_remove(f, t->name, records, n_records, ret, ret_refusal);
}

static int plan_growth(const Facts *f, const Plan *records, size_t n_records, void *userdata,
                       Plan *ret, Refusal *ret_refusal) {
    const Target *t = userdata;

    return plan_grow(f, t->name, t->has_key, records, n_records, ret, ret_refusal);
}

/* --- what both do --------------------------------------------------------------------------- */

typedef struct Verb {
    const char *command;
    PlanFunction function;
    const char *done, *nothing; /* with the mount point */
    bool (*has_changed)(const Work *w);
    int (*begin)(Plan *p); /* before the first step; NULL: nothing. 1: it made a record */
    int (*end)(const Plan *p, bool made_record, bool is_done);
} Verb;

static int say(Reply *reply, const char *text, const char *name, const Plan *p) {
    _cleanup_free_ char *line = NULL;

    if (asprintf(&line, "%s %s", text, p->request.mount_point ?: name) < 0)
        return -ENOMEM;
    TRY(reply_add_line(reply, line));
    return planning_add_notes(p, reply);
}

static int run(const Verb *v, Work *w, Target *t, bool dry_run, Reply *reply) {
    int r;

    w->plan = calloc(1, sizeof(*w->plan));
    if (!w->plan)
        return -ENOMEM;
    r = planning_make(volume_name_is_path(t->name) ? t->name : NULL, v->function, t,
                      dry_run ? PLANNING_DRY_RUN : 0, w->plan, reply);
    if (r != 0)
        return MIN(r, 0);
    if (dry_run)
        return planning_reply(w->plan, reply);
    r = v->begin ? v->begin(w->plan) : 0;
    TRY(r);
    TRY(run_plan(w, reply));
    if (v->end)
        TRY(v->end(w->plan, r > 0, reply->status == 0));
    if (reply->status != 0)
        return 0;
    return say(reply, v->has_changed(w) ? v->done : v->nothing, t->name, w->plan);
}

static int start(const Verb *v, struct json_object *arguments, bool dry_run, Reply *reply) {
    _cleanup_(work_done) Work w = {.key_fd = -1};
    _cleanup_close_ int key_fd = -1, lock_fd = -1;
    _cleanup_free_ char *problem = NULL;
    Target t = {};
    int r;

    r = volume_request_name(arguments, v->command, &t.name, &problem);
    if (r >= 0)
        r = key_load(&key_fd, &problem);
    if (r == -EINVAL && problem)
        return reply_set_error(reply, REPLY_FAILED, "bad-argument", problem);
    TRY(r);
    w.key_fd = key_fd;
    t.has_key = key_fd >= 0;
    if (!dry_run) /* a plan changes nothing, and need not wait */
        r = run_lock(RUN_LOCK_FILE, REMOVE_PATIENCE_USEC, &lock_fd, &problem);
    if (r == -EBUSY && problem)
        return reply_set_error(reply, REPLY_REFUSED, "locked", problem);
    TRY(r);
    return run(v, &w, &t, dry_run, reply);
}

/* --- unmount_volume ------------------------------------------------------------------------- */

typedef struct Forgotten {
    const Plan *removed;
    char ids[16][VOLUME_ID_SIZE]; /* more than one request made the same volume */
    size_t n;
} Forgotten;

/* Nothing is known of it: all that was asked for that mount point is meant. */
static bool is_bare(const Plan *p) {
    return !p->fs_uuid && !p->luks_uuid && !p->array_uuid;
}

static int collect(const Plan *p, void *userdata) {
    Forgotten *f = userdata;

    if (f->n < ELEMENTSOF(f->ids) &&
        streq_ptr(p->request.mount_point, f->removed->request.mount_point) &&
        (is_bare(f->removed) || record_is_same(p, f->removed)) && !streq(p->id, f->removed->id))
        memcpy(f->ids[f->n++], p->id, VOLUME_ID_SIZE);
    return 0;
}

/* The request that made it may come again: then what is on the disks is no longer that request's.
 */
static int forget(const Plan *p) {
    Forgotten f = {.removed = p};
    int r;

    if (*p->id)
        memcpy(f.ids[f.n++], p->id, VOLUME_ID_SIZE);
    if (p->request.mount_point)
        TRY(record_visit(RECORD_DIRECTORY, collect, &f, NULL));
    for (size_t i = 0; i < f.n; i++) {
        r = record_remove(RECORD_DIRECTORY, f.ids[i]);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

/* A volume without a record gets one for as long as it is being removed: when it is unmounted,
 * nothing else leads to what is left of it. */
static int remember(Plan *p) {
    if (*p->id || !p->request.mount_point || p->n_steps == 0)
        return 0;
    for (char *const *d = p->disks; d && *d; d++)
        TRY(text_add(&p->request.devices, "%s", *d));
    volume_request_id(&p->request, p->id);
    TRY(record_write(RECORD_DIRECTORY, p));
    return 1;
}

static bool has_steps(const Work *w) {
    return w->plan->n_steps > 0;
}

static bool has_done(const Plan *p) {
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].state == STEP_DONE)
            return true;
    return false;
}

/* As long as something is left the record stays. */
static int end_removal(const Plan *p, bool made_record, bool is_done) {
    if (is_done)
        return forget(p);
    if (made_record && !has_done(p))
        (void)record_remove(RECORD_DIRECTORY, p->id);
    return 0;
}

int volume_remove(struct json_object *arguments, bool dry_run, Reply *reply) {
    static const Verb verb = {"unmount_volume", plan_removal, "Unmounted:", "Nothing was mounted:",
                              has_steps,        remember,     end_removal};

    return start(&verb, arguments, dry_run, reply);
}

/* --- resize_volume -------------------------------------------------------------------------- */

static bool has_grown(const Work *w) {
    return w->has_grown;
}

int volume_grow(struct json_object *arguments, bool dry_run, Reply *reply) {
    static const Verb verb = {
        "resize_volume", plan_growth, "Grown:", "It has the size of its disks already:",
        has_grown,       NULL,        NULL};

    return start(&verb, arguments, dry_run, reply);
}
