/* SPDX-License-Identifier: Apache-2.0 */
/*            before the first write        after the flush
 * PENDING ──────────────▶ BEGUN ──────────────▶ DONE
 *    ▲                      │ undone              │ undone
 *    └──────────────────────┴─────────────────────┘
 * A kill or a power cut leaves a step BEGUN: the repeated request makes it again (wipe_first). */
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

static int set_state(Work *w, Step *s, StepState state) {
    int r;

    s->state = state;
    if (!w->directory)
        return 0;
    r = record_write(w->directory, w->plan);
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

static int undo_one(Work *w, size_t i, char **left) {
    Step *s = &w->plan->steps[i];
    _cleanup_free_ char *first = TAKE_PTR(w->error), *failed = NULL;
    int r;

    r = take_locks(w, s);
    if (r >= 0)
        r = step_undo(w, s);
    failed = TAKE_PTR(w->error);
    w->error = TAKE_PTR(first);
    if (r >= 0) {
        s->state = STEP_PENDING;
        w->done_now[i] = false;
        return 0;
    }
    return add_text(left, failed ?: strerror(-r));
}

/* NOLINTNEXTLINE(misc-no-recursion): through a list of a few.
 * What an earlier run has done stays: its record says so, and the repeated request goes on there.
 */
static int undo_all(Work *w, char **left) {
    for (size_t i = w->plan->n_steps; i-- > 0;)
        if (w->done_now[i])
            TRY(undo_one(w, i, left));
    device_locks_release(&w->locks);
    (void)work_reload(w); /* a unit without its line does no harm */
    return w->before ? undo_all(w->before, left) : 0;
}

static bool has_begun(const Plan *p) {
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].state != STEP_PENDING)
            return true;
    return false;
}

/* All runs have one record, that of the last plan, which has the steps of those before as done. */
static void take_back(Work *w, const Plan *before) {
    for (size_t i = 0; i < before->n_steps; i++)
        for (size_t j = 0; j < w->plan->n_steps; j++)
            if (before->steps[i].type == w->plan->steps[j].type &&
                before->steps[i].state == STEP_PENDING)
                w->plan->steps[j].state = STEP_PENDING;
}

/* The wiped disks stay wiped: there is nothing to go on with then. */
static int keep_record(Work *w) {
    int r;

    if (!w->directory)
        return 0;
    for (const Work *b = w->before; b; b = b->before)
        take_back(w, b->plan);
    r = has_begun(w->plan) ? record_write(w->directory, w->plan)
                           : record_remove(w->directory, w->plan->id);
    return r == -ENOENT ? 0 : r;
}

int run_give_up(Work *w, Reply *reply) {
    _cleanup_free_ char *left = NULL, *text = NULL;
    const char *code = json_get_string(reply->object, "code");

    TRY(undo_all(w, &left));
    TRY(keep_record(w));
    if (!left)
        return 0;
    if (asprintf(&text, "%s. Not everything could be undone: %s.", strempty(reply->error_message),
                 left) < 0)
        return -ENOMEM;
    return reply_set_error(reply, reply->status, code, text);
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
    int r;

    if (!w->directory)
        return fail_without_record(w, error, reply);
    TRY(undo_all(w, &left));
    r = keep_record(w);
    if (r < 0)
        TRY(add_text(&left, "the record of this volume cannot be changed"));
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
