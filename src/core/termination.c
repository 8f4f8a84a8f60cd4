/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   ordered, stored ── acknowledged, or 30 s ──▶ job "terminate-GUID" ─┬─ 0: systemd stops it
 *      ▲                                             │                 ├─ strict: the agent stays
 *      └── an agent restarted meanwhile looks ───────┘                 └─ ignoring: it exits
 *
 * The job runs at most once, like every job. If it has run already, somebody has started the agent
 * again since, and the agent drops the order. */
#include "core/termination.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/timer.h"
#include "job/job.h"
#include "proto/text.h"

#define PATIENCE_USEC (30 * USEC_PER_SEC)
#define COMMAND "terminate"

struct Termination {
    Store *store;
    const char *jobs_root;
    sd_bus *bus;
    sd_event_source *timer;
    void (*leave)(void *userdata);
    void *userdata;
    char *order; /* as stored; NULL: none */
    Job *job;
    bool is_over; /* systemd is stopping this agent */
};

static const char *get_guid(const Termination *t) {
    return strchr(t->order, ' ') ? strchr(t->order, ' ') + 1 : t->order;
}

static bool is_ignoring(const Termination *t) {
    return strncmp(t->order, "ignoring ", strlen("ignoring ")) == 0;
}

/* Derives a GUID for the job, because the request itself has none. */
static int make_job_guid(const Termination *t, char **ret) {
    const char *guid = get_guid(t);
    size_t size = strlen(guid), room = GUID_SIZE_MAX - sizeof(COMMAND);

    if (size > room)
        size = utf8_cut(guid, room);
    return asprintf(ret, COMMAND "-%.*s", (int)size, guid) < 0 ? -ENOMEM : 0;
}

/* If this fails, the next process drops the order. */
static void forget(Termination *t) {
    bool own = !store_in_transaction(t->store);
    int r = own ? store_set_fact(t->store, STORE_META_TERMINATING, "")
                : store_set_meta(t->store, STORE_META_TERMINATING, "");

    if (r < 0)
        (void)log_warning_errno(r,
                                "The order to terminate cannot be removed from the database: %m");
    free(TAKE_PTR(t->order));
}

static void on_done(JobEnd end, struct json_object *reply, void *userdata) {
    int return_code = json_object_get_int(json_get(reply, "return_code"));
    Termination *t = userdata;

    if (return_code != 0)
        (void)log_error_errno(0, "The script " COMMAND " failed with %d: %s", return_code,
                              strempty(json_get_string(reply, "error_message")));
    (void)json_object_put(reply);
    job_stored(t->job);
    if (return_code != 0 && is_ignoring(t))
        t->leave(t->userdata);
    t->is_over = return_code == 0;
    forget(t);
}

static void start(Termination *t) {
    _cleanup_free_ char *guid = NULL;
    JobSpec spec = JOB_SPEC_INIT;
    int r;

    if (!t->order || !t->bus || t->job)
        return;
    (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_TERMINATING)),
                     "The manager ordered this agent to stop for good");
    spec.command = COMMAND;
    r = make_job_guid(t, &guid);
    if (r >= 0)
        r = job_new(t->bus, t->jobs_root, guid, &spec, on_done, t, &t->job);
    if (r >= 0)
        return;
    (void)log_warning_errno(r, "The script " COMMAND " cannot be started: %m; retrying");
    (void)timer_arm_in(t->timer, PATIENCE_USEC);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    start(userdata);
    return 0;
}

static int take_order(Termination *t) {
    _cleanup_free_ char *order = NULL, *guid = NULL;
    int r;

    r = store_get_meta(t->store, STORE_META_TERMINATING, &order);
    if (r < 0 || isempty(order))
        return r;
    t->order = TAKE_PTR(order);
    r = make_job_guid(t, &guid);
    if (r < 0)
        return r;
    if (job_has_begun(t->jobs_root, guid))
        forget(t);
    else
        r = timer_arm_in(t->timer, PATIENCE_USEC);
    return r;
}

void termination_request_changed(Termination *t, const Request *q, RequestState state) {
    if (!streq(q->task.command, COMMAND))
        return;
    if (state == REQUEST_STATE_REPLY && !t->order) {
        (void)take_order(t);
    } else if ((state == REQUEST_STATE_REPLY_ACKED || state == REQUEST_STATE_REPLY_NACKED) &&
               t->order && streq(get_guid(t), q->task.guid)) {
        /* from the loop: the acknowledgement itself is being stored */
        (void)timer_arm_in(t->timer, 0);
    }
}

bool termination_is_ordered(const Termination *t) {
    return t->order || t->is_over;
}

int termination_set_bus(Termination *t, sd_bus *bus) {
    t->bus = sd_bus_ref(bus);
    return 0;
}

int termination_new(sd_event *event, Store *store, const char *jobs_root,
                    void (*leave)(void *userdata), void *userdata, Termination **ret) {
    Termination *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return -ENOMEM;
    t->leave = leave;
    t->userdata = userdata;
    t->store = store;
    t->jobs_root = jobs_root;
    r = timer_new(event, 0, on_timer, t, &t->timer);
    if (r >= 0)
        r = take_order(t);
    if (r < 0) {
        termination_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

Termination *termination_free(Termination *t) {
    if (!t)
        return NULL;
    job_free(t->job);
    sd_event_source_disable_unref(t->timer);
    sd_bus_unref(t->bus);
    free(t->order);
    free(t);
    return NULL;
}
