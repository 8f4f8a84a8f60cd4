/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   timer ─▶ GUIDs of old rows, SLICE at a time
 *     ▲         └─▶ the executor removes directories ─▶ rows without a directory go ─┐
 *     └── an hour later; at once after a full slice ─────────────────────────────────┘
 *
 * A row stays while its directory cannot be removed, and with it the guard. */
#include "core/retention.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "basic/timer.h"
#include "job/executor.h"
#include "store/job-row.h"

#define FIRST_USEC (5 * USEC_PER_SEC)
#define INTERVAL_USEC (3600 * USEC_PER_SEC)
#define NEXT_SLICE_USEC (20 * USEC_PER_MSEC) /* other event sources take their turn */
#define WIPE_USEC (5 * USEC_PER_SEC)         /* after the end of a request with arguments */
#define WIPE_AGAIN_USEC (60 * USEC_PER_SEC)  /* the disk is full, for instance */
#define SLICE 256u

struct Retention {
    Store *store;
    RequestFlow *flow;
    const char *jobs_root;
    uint64_t keep_usec;
    uint64_t keep_jobs_usec; /* 0: for ever */
    sd_bus *bus;
    sd_bus_slot *slot;
    sd_event_source *timer;
    sd_event_source *wipe;
    char *guids[SLICE + 1]; /* of the pending call; ends with NULL */
    unsigned n;
    unsigned n_stay; /* found in this pass and not removed */
};

static void forget_slice(Retention *t) {
    for (unsigned i = 0; i < t->n; i++)
        free(TAKE_PTR(t->guids[i]));
    t->n = 0;
}

static void schedule(Retention *t, uint64_t usec) {
    (void)timer_arm_in(t->timer, usec);
}

static int take_guid(const char *guid, void *userdata) {
    Retention *t = userdata;

    t->guids[t->n] = strdup(guid);
    return t->guids[t->n] ? (int)t->n++ : -ENOMEM;
}

/* Also true if that is unknown. */
static bool has_directory(int root_fd, const char *guid) {
    char name[JOB_NAME_SIZE];

    guid_to_job_name(guid, name);
    return faccessat(root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0 || errno != ENOENT;
}

static int open_root(const Retention *t) {
    int fd = open(t->jobs_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Keeps rows whose job has a directory. */
static int remove_rows(Retention *t, unsigned *ret_removed) {
    _cleanup_close_ int root_fd = open_root(t);
    unsigned n = 0;
    int r;

    if (root_fd < 0 && root_fd != -ENOENT) /* it does not exist before the first job */
        return root_fd;
    r = request_flow_commit(t->flow);
    if (r >= 0)
        r = store_begin(t->store);
    for (unsigned i = 0; i < t->n && r >= 0; i++)
        if (root_fd < 0 || !has_directory(root_fd, t->guids[i])) {
            r = store_remove_request(t->store, t->guids[i]);
            n++;
        }
    if (r >= 0 && t->keep_jobs_usec > 0)
        r = store_remove_jobs(t->store, t->keep_jobs_usec);
    if (r >= 0)
        r = store_note_running(t->store);
    *ret_removed = n;
    return store_finish(t->store, r);
}

static void finish_slice(Retention *t) {
    unsigned removed = 0;
    bool more;
    int r;

    r = remove_rows(t, &removed);
    if (r < 0)
        (void)log_debug_errno(r, "Old requests could not be removed: %m");
    else if (removed > 0)
        log_debug("%u old requests were removed", removed);
    more = r >= 0 && t->n == SLICE;
    t->n_stay = more ? t->n_stay + SLICE - removed : 0;
    forget_slice(t);
    schedule(t, more ? NEXT_SLICE_USEC : INTERVAL_USEC);
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    Retention *t = userdata;

    t->slot = sd_bus_slot_unref(t->slot);
    if (e)
        log_warning("Directories of old jobs could not be removed: %s", strempty(e->message));
    finish_slice(t);
    return 0;
}

/* 1: the executor was called; 0: nothing to remove. */
static int remove_directories(Retention *t) {
    _cleanup_close_ int root_fd = open_root(t);
    bool some = false;

    if (root_fd < 0 || !t->bus)
        return 0;
    for (unsigned i = 0; i < t->n && !some; i++)
        some = has_directory(root_fd, t->guids[i]);
    if (!some)
        return 0;
    TRY(executor_call_jobs(t->bus, "Remove", t->guids, on_removed, t, &t->slot));
    return 1;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Retention *t = userdata;
    int r;

    r = store_visit_expired(t->store, t->keep_usec, SLICE, t->n_stay, take_guid, t);
    if (r >= 0)
        r = remove_directories(t);
    if (r < 0)
        (void)log_debug_errno(r, "Old requests could not be removed: %m");
    if (r <= 0)
        finish_slice(t);
    return 0;
}

static int on_wipe(sd_event_source *source, uint64_t usec, void *userdata) {
    Retention *t = userdata;
    int r;

    r = request_flow_commit(t->flow);
    if (r >= 0)
        r = store_wipe(t->store);
    if (r < 0) {
        (void)log_debug_errno(r,
                              "Arguments of ended requests could not be wiped: %m; retrying later");
        (void)timer_arm_in(t->wipe, WIPE_AGAIN_USEC);
    }
    return 0;
}

static void on_remains(void *userdata) {
    Retention *t = userdata;

    (void)timer_arm_in(t->wipe, WIPE_USEC);
}

void retention_configure(Retention *t, uint64_t keep_usec, uint64_t keep_jobs_usec) {
    t->keep_usec = keep_usec;
    t->keep_jobs_usec = keep_jobs_usec;
}

void retention_set_bus(Retention *t, sd_bus *bus) {
    t->bus = sd_bus_ref(bus);
}

int retention_new(sd_event *event, Store *store, RequestFlow *flow, const char *jobs_root,
                  Retention **ret) {
    _cleanup_(retention_freep) Retention *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->store = store;
    t->flow = flow;
    t->jobs_root = jobs_root;
    t->keep_usec = UINT64_MAX;
    TRY(sd_event_add_time_relative(event, &t->timer, CLOCK_BOOTTIME, FIRST_USEC, FIRST_USEC,
                                   on_timer, t));
    TRY(timer_new(event, 0, on_wipe, t, &t->wipe));
    store_set_on_remains(store, on_remains, t);
    *ret = TAKE_PTR(t);
    return 0;
}

Retention *retention_free(Retention *t) {
    if (!t)
        return NULL;
    store_set_on_remains(t->store, NULL, NULL);
    sd_event_source_disable_unref(t->timer);
    sd_event_source_disable_unref(t->wipe);
    sd_bus_slot_unref(t->slot);
    sd_bus_unref(t->bus);
    forget_slice(t);
    free(t);
    return NULL;
}
