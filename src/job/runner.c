/* SPDX-License-Identifier: Apache-2.0 */
/* A job keeps its worker until its reply is stored; this bounds the number of replies that wait for
 * a full disk. */
#include "job/runner.h"

#include "basic/log.h"
#include "basic/timer.h"

struct Runner {
    ExecutionHost host;
    sd_bus_slot *subscribe_slot, *owner_slot;
    unsigned workers;
    TAILQ_HEAD(, Execution) executions;
};

static void free_execution(Runner *r, Execution *x) {
    TAILQ_REMOVE(&r->executions, x, entries);
    execution_free(x);
}

static bool may_start(const Runner *r, const Execution *x) {
    if (!x->is_job)
        return true;
    return r->host.bus && r->host.n_jobs < r->workers &&
           (!r->host.paused || x->cancelled ||
            job_has_begun(r->host.parts.jobs_root, x->task->guid));
}

static void drop_payload(Task *t) {
    (void)json_object_put(TAKE_PTR(t->payload));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Runner *r = userdata;
    Execution *x;

    TAILQ_FOREACH(x, &r->executions, entries) {
        if (x->phase == EXECUTION_PAUSED)
            x->phase = EXECUTION_WAITING;
    }
    execution_host_wake(&r->host);
    return 0;
}

static int on_pump(sd_event_source *source, void *userdata) {
    Runner *r = userdata;
    Execution *x, *next;

    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->reply)
            execution_deliver(x);
        else if (x->phase == EXECUTION_WAITING && may_start(r, x))
            execution_start(x);
        else if (x->phase == EXECUTION_WAITING)
            drop_payload(x->task);
    }
    return 0;
}

void runner_offer_payload(const Runner *r, Task *t, struct json_object *payload) {
    if (r->host.bus && r->host.n_jobs < r->workers && !r->host.paused)
        t->payload = json_object_get(payload);
}

int runner_run_now(Runner *r, Task *t, struct json_object *payload,
                   struct json_object **ret_reply) {
    return execution_run_now(&r->host, t, payload, ret_reply);
}

int runner_add(Runner *r, Task *t) {
    Execution *x;
    int k;

    k = execution_new(&r->host, t, &x);
    if (k < 0)
        return k;
    TAILQ_INSERT_TAIL(&r->executions, x, entries);
    execution_host_tell(&r->host);
    execution_host_wake(&r->host);
    return 0;
}

void runner_cancel(Runner *r, Task *t) {
    if (t->execution)
        execution_cancel(t->execution);
}

void runner_cancel_all(Runner *r) {
    Execution *x, *next;

    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->job)
            (void)job_cancel(x->job);
    }
}

void runner_forget(Runner *r, Task *t) {
    if (!t->execution)
        return;
    if (t->execution->job)
        job_stored(t->execution->job);
    free_execution(r, t->execution);
    execution_host_tell(&r->host);
    execution_host_wake(&r->host);
}

int runner_visit_jobs(const Runner *r, JobVisitor visit, void *userdata) {
    unsigned n_waiting = 0;
    const Execution *x;
    int k;

    TAILQ_FOREACH(x, &r->executions, entries) {
        JobInfo info = {.task = x->task, .phase = execution_get_phase(x)};

        if (!x->is_job)
            continue;
        if (info.phase == JOB_WAITING)
            info.position = ++n_waiting;
        k = visit(&info, userdata);
        if (k != 0)
            return k;
    }
    return 0;
}

void runner_set_observer(Runner *r, void (*on_jobs)(void *userdata), void *userdata) {
    r->host.on_jobs = on_jobs;
    r->host.observer = userdata;
}

/* For a restart of systemd. */
static void look_again(Runner *r) {
    Execution *x, *next;

    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->job)
            job_look_again(x->job);
    }
}

void runner_configure(Runner *r, unsigned workers, const JobSettings *settings) {
    r->workers = workers;
    r->host.settings = *settings;
    execution_host_wake(&r->host);
}

void runner_set_paused(Runner *r, bool paused) {
    Execution *x, *next;

    r->host.paused = paused;
    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->job)
            job_set_paused(x->job, paused);
    }
    execution_host_wake(&r->host);
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);

    /* the other runner may have subscribed first */
    if (e && !sd_bus_error_has_name(e, "org.freedesktop.systemd1.AlreadySubscribed"))
        log_warning("systemd's signals cannot be subscribed to: %s", strempty(e->message));
    look_again(userdata);
    return 1;
}

/* systemd sends no signals without a subscriber. */
static int subscribe(Runner *r) {
    r->subscribe_slot = sd_bus_slot_unref(r->subscribe_slot);
    return sd_bus_call_method_async(r->host.bus, &r->subscribe_slot, "org.freedesktop.systemd1",
                                    "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                    "Subscribe", on_subscribed, r, NULL);
}

static int on_systemd_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Runner *r = userdata;
    const char *new_owner;

    if (sd_bus_message_read(m, "sss", NULL, NULL, &new_owner) >= 0 && *new_owner)
        (void)subscribe(r);
    return 0;
}

int runner_set_bus(Runner *r, sd_bus *bus) {
    int k;

    r->host.bus = sd_bus_ref(bus);
    k = sd_bus_add_match_async(bus, &r->owner_slot,
                               "type='signal',sender='org.freedesktop.DBus',"
                               "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                               "arg0='org.freedesktop.systemd1'",
                               on_systemd_owner, NULL, r);
    if (k >= 0)
        k = subscribe(r);
    execution_host_wake(&r->host);
    return k;
}

int runner_new(sd_event *event, const RunnerParts *parts, Runner **ret) {
    Runner *r = calloc(1, sizeof(*r));
    int k;

    if (!r)
        return -ENOMEM;
    TAILQ_INIT(&r->executions);
    r->host.event = event;
    r->host.parts = *parts;
    r->workers = 1;
    k = sd_event_add_defer(event, &r->host.pump, on_pump, r);
    if (k >= 0)
        k = sd_event_source_set_enabled(r->host.pump, SD_EVENT_OFF);
    if (k >= 0)
        k = timer_new(event, 0, on_timer, r, &r->host.timer);
    if (k < 0) {
        runner_free(r);
        return k;
    }
    *ret = r;
    return 0;
}

Runner *runner_free(Runner *r) {
    if (!r)
        return NULL;
    while (!TAILQ_EMPTY(&r->executions))
        free_execution(r, TAILQ_FIRST(&r->executions));
    sd_event_source_disable_unref(r->host.pump);
    sd_event_source_disable_unref(r->host.timer);
    sd_bus_slot_unref(r->owner_slot);
    sd_bus_slot_unref(r->subscribe_slot);
    sd_bus_unref(r->host.bus);
    free(r);
    return NULL;
}
