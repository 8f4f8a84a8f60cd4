/* SPDX-License-Identifier: Apache-2.0 */
/*            before the first write        after the flush
 * PENDING ──────────────▶ BEGUN ──────────────▶ DONE
 *    ▲                      │ ▲                   │
 *    └──────────────────────┘ └───────────────────┘
 *            undone             before it is undone
 * Each is on the disk. A kill or a power cut leaves a step BEGUN: the repeated request makes it
 * again (wipe_first). */
#include "dcm-volume/run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "dcm-volume/progress.h"
#include "dcm-volume/record.h"
#include "dcm-volume/step.h"

#define TRY_MSEC 200

static int say_wait(int fd) {
    _cleanup_free_ char *holder = NULL, *text = NULL;

    TRY(lock_find_holder(fd, &holder));
    if (asprintf(&text, "waiting for the volume that %s works on", holder) < 0) {
        text = NULL;
        return -ENOMEM;
    }
    progress_line(text, NULL);
    return 0;
}

static int refuse_locked(int fd, uint64_t usec, char **ret_problem) {
    _cleanup_free_ char *holder = NULL;

    TRY(lock_find_holder(fd, &holder));
    if (asprintf(ret_problem,
                 "%s works on another volume, and has not ended within %" PRIu64
                 " s: wait until it has, then repeat this",
                 holder, usec / USEC_PER_SEC) >= 0)
        return -EBUSY;
    *ret_problem = NULL;
    return -ENOMEM;
}

/* flock(2) has no time limit: with one it is tried again and again. */
static int wait_lock(int fd, uint64_t usec, char **ret_problem) {
    const uint64_t begin_usec = now_usec(CLOCK_BOOTTIME);
    const bool is_endless = usec == UINT64_MAX;

    while (flock(fd, is_endless ? LOCK_EX : LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (!is_endless && now_usec(CLOCK_BOOTTIME) - begin_usec >= usec)
            return refuse_locked(fd, usec, ret_problem);
        (void)poll(NULL, 0, is_endless ? 0 : TRY_MSEC);
    }
    return 0;
}

/* Made by tmpfiles.d for jobs that may not write in /run; root alone can open it. */
int run_lock(const char *path, uint64_t usec, int *ret_fd, char **ret_problem) {
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        TRY(say_wait(fd));
    TRY(wait_lock(fd, usec, ret_problem));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* After a failure it is what the record has. */
static int set_state(Work *w, Step *s, StepState state) {
    const StepState former = s->state;
    int r;

    s->state = state;
    if (!w->directory)
        return 0;
    r = record_write(w->directory, w->plan);
    if (r < 0)
        s->state = former;
    return r < 0 && r != -ENOMEM
               ? work_fail(w, "The record in %s cannot be written: %s", w->directory, strerror(-r))
               : r;
}

static int take_locks(Work *w, const Step *s) {
    _cleanup_free_ char *problem = NULL;
    int r = 0;

    if (step_writes(s))
        r = device_locks_take(&w->locks, s->devices, &lock_patience, &problem);
    else
        device_locks_release(&w->locks);
    return r == -EBUSY && problem ? work_fail(w, "%s", problem) : r;
}

static int do_one(Work *w, size_t i) {
    Step *s = &w->plan->steps[i];

    progress_step(i, w->plan->n_steps, step_describe(s->type));
    TRY(take_locks(w, s));
    TRY(set_state(w, s, STEP_BEGUN));
    w->done_now[i] = true;
    TRY(step_do(w, s));
    w->plan->was_mounted = w->plan->was_mounted || s->type == STEP_MOUNT;
    return set_state(w, s, STEP_DONE);
}

static int do_all(Work *w) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < w->plan->n_steps; i++)
        if (w->plan->steps[i].state != STEP_DONE)
            r = do_one(w, i);
    device_locks_release(&w->locks);
    if (r >= 0)
        r = work_reload(w);
    if (r < 0)
        return r;
    w->plan->complete = !w->plan->more;
    return w->directory ? record_write(w->directory, w->plan) : 0;
}

/* --- the way back --------------------------------------------------------------------------- */

static int add_text(char **text, const char *more) {
    char *all;

    if (asprintf(&all, "%s%s%s", strempty(*text), *text ? "; " : "", more) < 0)
        return -ENOMEM;
    free(*text);
    *text = all;
    return 0;
}

/* The way back of a run: all that it did has one record, that of the last plan, which has the steps
 * of those before as done. */
typedef struct Way {
    Work *last;
    char *left;    /* what could not be undone; NULL: nothing */
    bool is_stuck; /* the record could not be written: said once */
} Way;

/* The step of the last plan that is this step of a plan before it. */
static void copy_state(Plan *last, const Step *s) {
    for (size_t i = 0; i < last->n_steps; i++)
        if (last->steps[i].type == s->type)
            last->steps[i].state = s->state;
}

static int record_way(Way *way, const Step *s) {
    int r;

    if (!way->last->directory)
        return 0;
    copy_state(way->last->plan, s);
    way->last->plan->complete = false;
    r = record_write(way->last->directory, way->last->plan);
    if (r == 0 || r == -ENOMEM || way->is_stuck)
        return r == -ENOMEM ? r : 0;
    way->is_stuck = true;
    return add_text(&way->left, "the record of this volume cannot be changed");
}

static int undo_step(Work *w, const Step *s) {
    TRY(take_locks(w, s));
    return step_undo(w, s);
}

/* What could not be undone stays as it was. What was wiped is lost, whatever the record says. */
static int undo_one(Way *way, Work *w, size_t i) {
    Step *s = &w->plan->steps[i];
    const StepState former = s->state;
    _cleanup_free_ char *first = TAKE_PTR(w->error), *failed = NULL;
    int r;

    if (s->type != STEP_WIPE) {
        s->state = STEP_BEGUN;
        TRY(record_way(way, s));
    }
    r = undo_step(w, s);
    failed = TAKE_PTR(w->error);
    w->error = TAKE_PTR(first);
    s->state = r < 0 ? former : STEP_PENDING;
    w->done_now[i] = r < 0;
    TRY(record_way(way, s));
    return r < 0 ? add_text(&way->left, failed ?: strerror(-r)) : 0;
}

/* What an earlier run has done stays: its record says so, and the repeated request goes on there.
 */
static int undo_all(Way *way) {
    for (Work *w = way->last; w; w = w->before) {
        for (size_t i = w->plan->n_steps; i-- > 0;)
            if (w->done_now[i])
                TRY(undo_one(way, w, i));
        device_locks_release(&w->locks);
        (void)work_reload(w); /* a unit without its line does no harm */
    }
    return 0;
}

/* The disks that were wiped stay so: without more there is nothing to go on with. */
static bool is_worth_keeping(const Step *s) {
    return s->state != STEP_PENDING && !(s->type == STEP_WIPE && s->state == STEP_DONE);
}

/* Also what this run did not come to, and an earlier one has done. */
static bool has_begun(const Plan *p) {
    for (size_t i = 0; i < p->n_steps; i++)
        if (is_worth_keeping(&p->steps[i]))
            return true;
    for (size_t i = 0; i < p->n_later; i++)
        if (is_worth_keeping(&p->later[i]))
            return true;
    return false;
}

/* *ret_left: what could not be undone; NULL: nothing. The caller frees. */
static int go_back(Work *w, char **ret_left) {
    Way way = {.last = w};
    int r;

    r = undo_all(&way);
    if (r >= 0 && w->directory && !has_begun(w->plan)) {
        r = record_remove(w->directory, w->plan->id);
        if (r < 0 && r != -ENOENT)
            r = add_text(&way.left, "the record of this volume cannot be removed");
    }
    *ret_left = way.left;
    return r == -ENOENT ? 0 : r;
}

int run_give_up(Work *w, Reply *reply) {
    _cleanup_free_ char *left = NULL, *text = NULL, *code = NULL;

    TRY(free_and_strdup(&code, json_get_string(reply->object, "code")));
    TRY(go_back(w, &left));
    if (!left)
        return 0;
    if (asprintf(&text, "%s. Not everything could be undone: %s.", strempty(reply->error_message),
                 left) < 0)
        return -ENOMEM;
    return reply_set_error(reply, REPLY_FAILED, code, text); /* something has changed */
}

/* What an unmounting or a growing has done before it failed; "" if nothing. There is no way back:
 * the repeated request goes on behind it. */
static int list_done(const Work *w, char **ret) {
    _cleanup_free_ char *list = NULL;

    for (size_t i = 0; i < w->plan->n_steps; i++)
        if (w->done_now[i] && w->plan->steps[i].state == STEP_DONE)
            TRY(add_text(&list, step_describe(w->plan->steps[i].type)));
    if (!list)
        *ret = strdup("");
    else if (asprintf(ret, " Done before that: %s. Repeat the request, and it goes on from there.",
                      list) < 0)
        *ret = NULL;
    return *ret ? 0 : -ENOMEM;
}

static int add_notes(const Work *w, Reply *reply) {
    for (size_t i = 0; i < w->n_notes; i++)
        TRY(reply_add_line(reply, w->notes[i]));
    return 0;
}

static int fail_without_record(Work *w, int error, Reply *reply) {
    _cleanup_free_ char *done = NULL, *text = NULL;

    (void)work_reload(w); /* a unit without its line does no harm */
    TRY(add_notes(w, reply));
    TRY(list_done(w, &done));
    if (asprintf(&text, "%s.%s", w->error ?: strerror(-error), done) < 0)
        return -ENOMEM;
    return reply_set_error(reply, REPLY_FAILED, "failed", text);
}

static int fail(Work *w, int error, Reply *reply) {
    _cleanup_free_ char *left = NULL, *text = NULL;

    if (!w->directory)
        return fail_without_record(w, error, reply);
    TRY(go_back(w, &left));
    if (asprintf(&text, "%s.%s%s%s", w->error ?: strerror(-error),
                 left ? " Not everything could be undone: " : " What was done has been undone.",
                 strempty(left), left ? "." : "") < 0)
        return -ENOMEM;
    return reply_set_error(reply, REPLY_FAILED, "failed", text);
}

int run_plan(Work *w, Reply *reply) {
    int r;

    w->done_now = calloc(w->plan->n_steps + 1, sizeof(*w->done_now));
    if (!w->done_now)
        return -ENOMEM;
    r = do_all(w);
    device_locks_release(&w->locks);
    if (r < 0)
        return fail(w, r, reply);
    return add_notes(w, reply);
}
