/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   timer ─▶ the oldest rows, SLICE at a time, that are too old or exceed the budget
 *     ▲         └─▶ the executor empties directories ─▶ rows whose output is gone go ─┐
 *     └── when the oldest will be too old; at once after a full slice, or when a ─────┘
 *         row is added and the sum exceeds the budget
 *
 * A row is added together with the reply of its job, so that output whose reply is not stored is
 * never touched. It is removed after the output: a repetition after a crash finds nothing to do. */
#include "core/output-retention.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "job/executor.h"
#include "store/output-row.h"

#define SOON_USEC (20 * USEC_PER_MSEC)       /* other event sources take their turn */
#define RETRY_MIN_USEC (5 * USEC_PER_SEC)    /* a unit is not released yet ... */
#define RETRY_MAX_USEC (3600 * USEC_PER_SEC) /* ... or the file system is read-only */
#define SLICE 64u

struct OutputRetention {
    Store *store;
    RequestFlow *flow;
    const char *jobs_root;
    uint64_t keep_usec;
    uint64_t budget;
    sd_bus *bus;
    sd_bus_slot *slot; /* of the pending call */
    sd_event_source *timer;
    char *guids[SLICE + 1]; /* outputs of the pending call; ends with NULL */
    unsigned n;
    unsigned n_stay;    /* found in this pass and not dropped */
    uint64_t remaining; /* bytes of all outputs, without those of the pending call */
    uint64_t retry_usec;
    uint64_t next_usec; /* when the oldest of the others will be too old; UINT64_MAX: never */
};

static void forget_slice(OutputRetention *t) {
    for (unsigned i = 0; i < t->n; i++)
        free(TAKE_PTR(t->guids[i]));
    t->n = 0;
}

/* UINT64_MAX: not before a row is added. */
static void schedule(OutputRetention *t, uint64_t usec) {
    (void)timer_arm_in(t->timer, usec);
}

static bool is_too_much(const OutputRetention *t) {
    uint64_t bytes;

    return t->budget > 0 && store_sum_outputs(t->store, &bytes) >= 0 && bytes > t->budget;
}

/* Retries remaining outputs after a growing delay. */
static void end_pass(OutputRetention *t, int r) {
    if (r < 0 || t->n_stay > 0) {
        t->retry_usec = MIN(MAX(t->retry_usec * 2, RETRY_MIN_USEC), RETRY_MAX_USEC);
        schedule(t, MIN(t->next_usec, t->retry_usec));
    } else {
        t->retry_usec = 0;
        schedule(t, is_too_much(t) ? SOON_USEC : t->next_usec);
    }
    t->n_stay = 0;
}

static int take_output(const char *guid, uint64_t bytes, uint64_t age_usec, void *userdata) {
    OutputRetention *t = userdata;
    bool is_old = t->keep_usec > 0 && age_usec >= t->keep_usec;
    bool is_much = t->budget > 0 && t->remaining > t->budget;

    if (!is_old && !is_much) {
        if (t->keep_usec > 0)
            t->next_usec = t->keep_usec - age_usec;
        return 1;
    }
    t->guids[t->n] = strdup(guid);
    if (!t->guids[t->n])
        return -ENOMEM;
    t->n++;
    t->remaining -= MIN(bytes, t->remaining);
    return 0;
}

/* Also true if that is unknown. */
static bool is_kept(int root_fd, const char *guid) {
    _cleanup_close_ int fd = -1;
    char name[JOB_NAME_SIZE];

    guid_to_job_name(guid, name);
    fd = openat(root_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno != ENOENT;
    /* the executor removes it last */
    return faccessat(fd, "stdout", F_OK, AT_SYMLINK_NOFOLLOW) >= 0 || errno != ENOENT;
}

static int open_root(const OutputRetention *t) {
    int fd = open(t->jobs_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int remove_rows(OutputRetention *t, unsigned *ret_removed) {
    _cleanup_close_ int root_fd = open_root(t);
    unsigned n = 0;
    int r;

    if (root_fd < 0 && root_fd != -ENOENT)
        return root_fd;
    r = request_flow_commit(t->flow);
    if (r >= 0)
        r = store_begin(t->store);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < t->n && r >= 0; i++)
        if (root_fd < 0 || !is_kept(root_fd, t->guids[i])) {
            r = store_remove_output(t->store, t->guids[i]);
            n++;
        }
    *ret_removed = n;
    return store_finish(t->store, r);
}

static void finish_slice(OutputRetention *t) {
    unsigned removed = 0;
    bool more;
    int r;

    r = remove_rows(t, &removed);
    if (r < 0)
        (void)log_debug_errno(r, "The output of old jobs could not be removed: %m");
    else
        log_debug("The output of %u old jobs was removed", removed);
    t->n_stay += t->n - removed;
    more = r >= 0 && t->n == SLICE;
    forget_slice(t);
    if (more)
        schedule(t, SOON_USEC);
    else
        end_pass(t, r);
}

static int on_dropped(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    OutputRetention *t = userdata;

    t->slot = sd_bus_slot_unref(t->slot);
    if (e)
        log_warning("The output of old jobs could not be removed: %s", strempty(e->message));
    finish_slice(t);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    OutputRetention *t = userdata;
    int r;

    if (t->slot || !t->bus) /* on_dropped() and set_bus() continue */
        return 0;
    t->next_usec = UINT64_MAX;
    r = store_sum_outputs(t->store, &t->remaining);
    if (r >= 0)
        r = store_visit_outputs(t->store, SLICE, t->n_stay, take_output, t);
    if (r >= 0 && t->n > 0)
        r = executor_call_jobs(t->bus, "DropOutput", t->guids, on_dropped, t, &t->slot);
    if (r >= 0 && t->n > 0)
        return 0;
    if (r < 0)
        (void)log_debug_errno(r, "The output of old jobs could not be removed: %m");
    forget_slice(t);
    end_pass(t, r);
    return 0;
}

/* UINT64_MAX: the timer is not armed. */
static uint64_t get_time_left(const OutputRetention *t) {
    uint64_t at = timer_get_time(t->timer), now = now_usec(CLOCK_BOOTTIME);

    return at == UINT64_MAX ? at : at > now ? at - now : 0;
}

/* The new output is the youngest, so an armed timer is right unless the budget is exceeded. */
static void on_output(void *userdata) {
    OutputRetention *t = userdata;
    uint64_t left;

    if (t->slot || t->n_stay > 0) /* end_pass() continues */
        return;
    left = get_time_left(t);
    if (left > SOON_USEC && is_too_much(t)) /* do not postpone it repeatedly */
        schedule(t, SOON_USEC);
    else if (left == UINT64_MAX && t->keep_usec > 0)
        schedule(t, t->keep_usec);
}

void output_retention_configure(OutputRetention *t, uint64_t keep_usec, uint64_t budget) {
    t->keep_usec = keep_usec;
    t->budget = budget;
    schedule(t, SOON_USEC);
}

void output_retention_set_bus(OutputRetention *t, sd_bus *bus) {
    t->bus = sd_bus_ref(bus);
    schedule(t, SOON_USEC);
}

int output_retention_new(sd_event *event, Store *store, RequestFlow *flow, const char *jobs_root,
                         OutputRetention **ret) {
    OutputRetention *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return -ENOMEM;
    t->store = store;
    t->flow = flow;
    t->jobs_root = jobs_root;
    t->next_usec = UINT64_MAX;
    r = timer_new(event, 0, on_timer, t, &t->timer);
    if (r < 0) {
        output_retention_free(t);
        return r;
    }
    store_set_on_output(store, on_output, t);
    *ret = t;
    return 0;
}

OutputRetention *output_retention_free(OutputRetention *t) {
    if (!t)
        return NULL;
    store_set_on_output(t->store, NULL, NULL);
    sd_event_source_disable_unref(t->timer);
    sd_bus_slot_unref(t->slot);
    sd_bus_unref(t->bus);
    forget_slice(t);
    free(t);
    return NULL;
}
