/* SPDX-License-Identifier: Apache-2.0 */
/* The plan is made twice: the first one names the disks, which are then locked, and the second one
 * is made of what is on them while udev and our own other runs leave them alone. */
#include "dcm-volume/apply.h"

#include <fcntl.h>
#include <stdio.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "dcm-volume/key.h"
#include "dcm-volume/planning.h"
#include "dcm-volume/record.h"
#include "dcm-volume/run.h"
#include "dcm-volume/step-system.h"
#include "dcm-volume/step.h"
#include "dcm-volume/sync.h"
#include "site/storage.h"
#include "volume/plan-mount.h"

#define PLANS_MAX 5 /* of one run: an array, an encrypted device, what is in it */

static int random_uuid(void *userdata, char ret[static 37]) {
    _cleanup_free_ char *text = NULL;

    TRY(read_file_at(AT_FDCWD, "/proc/sys/kernel/random/uuid", 64, &text, NULL));
    text[strcspn(text, "\n")] = 0;
    if (strlen(text) != 36)
        return -EIO;
    memcpy(ret, text, 37);
    return 0;
}

static int plan(const Facts *f, const Plan *records, size_t n_records, void *userdata, Plan *ret,
                Refusal *ret_refusal) {
    return plan_mount(f, userdata, records, n_records, random_uuid, NULL, ret, ret_refusal);
}

static bool is_pending(const Plan *p) {
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].state != STEP_DONE)
            return true;
    return false;
}

/* The first step that is left, if it writes; NULL: it does not, or there is none. */
static const Step *first_writer(const Plan *p) {
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].state != STEP_DONE)
            return step_writes(&p->steps[i]) ? &p->steps[i] : NULL;
    return NULL;
}

/* The disks of the first step; later ones are locked when their turn has come. 1: refused. */
static int lock_disks(DeviceLocks *locks, const Plan *p, Reply *reply) {
    const Step *s = first_writer(p);
    _cleanup_free_ char *problem = NULL;
    int r;

    if (!s)
        return 0;
    r = device_locks_take(locks, s->devices, &lock_patience, &problem);
    if (r != -EBUSY || !problem)
        return r;
    return reply_set_error(reply, REPLY_REFUSED, "locked", problem) ?: 1;
}

/* "": there is none. */
static int array_path(const Plan *p, char **ret) {
    int n = p->array_name ? asprintf(ret, "/dev/md/%s", p->array_name) : 0;

    if (!p->array_name)
        *ret = strdup("");
    return n < 0 || !*ret ? -ENOMEM : 0;
}

static int succeed(const Plan *p, bool had_work, Reply *reply) {
    _cleanup_free_ char *text = NULL, *array = NULL;
    const char *point = p->request.mount_point;

    if (asprintf(&text,
                 had_work ? "The volume is mounted on %s"
                          : "The volume was mounted on %s "
                            "already; nothing was changed",
                 point) < 0)
        return -ENOMEM;
    TRY(reply_add_line(reply, text));
    TRY(planning_add_notes(p, reply));
    TRY(array_path(p, &array));
    return *array && !p->request.wait_for_sync ? sync_report(array, reply) : 0;
}

/* What one run does: one plan after the other, because what is in an array or an encrypted device
 * is seen when it runs. They are undone together. */
typedef struct Works {
    Work works[PLANS_MAX];
} Works;

static void works_init(Works *all, int key_fd) {
    for (size_t i = 0; i < PLANS_MAX; i++)
        all->works[i] = (Work){.key_fd = key_fd,
                               .directory = RECORD_DIRECTORY,
                               .before = i > 0 ? &all->works[i - 1] : NULL};
}

static void works_done(Works *all) {
    for (size_t i = 0; i < PLANS_MAX; i++)
        work_done(&all->works[i]);
}

/* The record knows that a key was sealed, not which: the volume may have got another one. */
static int compare_key(Work *w) {
    for (size_t i = 0; i < w->plan->n_steps; i++) {
        Step *s = &w->plan->steps[i];
        int r = s->type == STEP_SEAL_KEY && s->state == STEP_DONE ? key_is_sealed(w) : 1;

        TRY(r);
        if (r == 0)
            s->state = STEP_PENDING;
    }
    return 0;
}

/* No plan can be made: what was done for it is undone. */
static int give_up(Work *w, int error, Reply *reply) {
    if (error == -ENOMEM)
        return error;
    if (error < 0)
        TRY(reply_set_error(reply, REPLY_FAILED, "failed",
                            error == -ELOOP ? "What lies on these disks does not come to an end"
                                            : strerror(-error)));
    return run_give_up(w, reply);
}

/* 1: there is more to do, which can be seen now. */
static int run_one(Work *w, const VolumeRequest *q, Reply *reply) {
    const Plan *p;
    int r;

    w->plan = calloc(1, sizeof(*w->plan));
    if (!w->plan)
        return -ENOMEM;
    p = w->plan;
    r = planning_make(q->mount_point, plan, (void *)(uintptr_t)q, PLANNING_NEW, w->plan, reply);
    if (r != 0)
        return w->before ? give_up(w->before, r, reply) : MIN(r, 0);
    TRY(compare_key(w));
    if (!is_pending(p) && !p->more)
        return p->n_steps > 0 ? succeed(p, w->before != NULL, reply) : planning_add_notes(p, reply);
    TRY(run_plan(w, reply));
    if (reply->status != 0)
        return 0;
    return p->more ? 1 : succeed(p, true, reply);
}

static int apply(Works *all, const VolumeRequest *q, bool dry_run, Reply *reply) {
    _cleanup_(plan_done) Plan first = {};
    int r;

    work_settle(); /* the links of disks that were attached a moment ago */
    r = planning_make(q->mount_point, plan, (void *)(uintptr_t)q,
                      PLANNING_NEW | (dry_run ? PLANNING_DRY_RUN : 0), &first, reply);
    if (r != 0)
        return MIN(r, 0);
    if (dry_run)
        return planning_reply(&first, reply);
    r = lock_disks(&all->works[0].locks, &first, reply);
    if (r != 0)
        return MIN(r, 0);
    for (size_t i = 0; i < PLANS_MAX; i++) {
        r = run_one(&all->works[i], q, reply);
        if (r <= 0)
            return r;
    }
    return give_up(&all->works[PLANS_MAX - 1], -ELOOP, reply);
}

static int parse(struct json_object *arguments, bool has_key, VolumeRequest *ret, char **problem) {
    _cleanup_free_ char *mount_point = NULL;
    int r;

    r = storage_get_mount_point(&mount_point);
    if (r == -EINVAL && asprintf(problem, "mountpoint in agent.conf(5) is no absolute path") < 0)
        return -ENOMEM;
    return r < 0 ? r : volume_request_parse(arguments, mount_point, has_key, ret, problem);
}

/* Nobody else has to wait for that: the lock is released. */
static int follow_sync(const Works *all, Reply *reply) {
    _cleanup_free_ char *array = NULL;
    const Plan *last = NULL;

    for (size_t i = 0; i < PLANS_MAX && all->works[i].plan; i++)
        last = all->works[i].plan;
    if (!last)
        return 0;
    TRY(array_path(last, &array));
    return *array ? sync_follow(array, reply) : 0;
}

int volume_apply(struct json_object *arguments, bool dry_run, Reply *reply) {
    _cleanup_(volume_request_done) VolumeRequest q = {};
    _cleanup_(works_done) Works all = {};
    _cleanup_close_ int key_fd = -1, lock_fd = -1;
    _cleanup_free_ char *problem = NULL;
    int r;

    r = key_load(&key_fd, &problem);
    if (r >= 0)
        r = parse(arguments, key_fd >= 0, &q, &problem);
    if (r == -EINVAL && problem)
        return reply_set_error(reply, REPLY_FAILED, "bad-argument", problem);
    TRY(r);
    works_init(&all, key_fd);
    if (!dry_run) /* a plan changes nothing, and need not wait */
        TRY(run_lock(RUN_LOCK_FILE, UINT64_MAX, &lock_fd, NULL));
    TRY(apply(&all, &q, dry_run, reply));
    lock_fd = safe_close(lock_fd);
    return q.wait_for_sync && !dry_run && reply->status == 0 ? follow_sync(&all, reply) : 0;
}
