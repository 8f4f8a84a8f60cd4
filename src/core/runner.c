/* SPDX-License-Identifier: Apache-2.0 */
/* A job keeps its worker until its reply is stored, so that what waits for a full disk is bounded.
 * The payload of a waiting request is in the store alone. */
#include "core/runner.h"

#include <stdio.h>
#include <sys/queue.h>

#include "basic/log.h"
#include "core/command-table.h"
#include "proto/message.h"

struct Execution {
    Runner *runner;
    Request *request;
    const Command *command;
    enum { WAITING, RUNNING, FINISHED } phase;
    bool is_job;
    ArgumentValue *values; /* the job's strings live here */
    Job *job;
    CommandRun *run;
    JobEnd end; /* when finished inside a call, until the loop delivers it */
    struct json_object *reply;
    TAILQ_ENTRY(Execution) entries;
};

struct Runner {
    sd_event *event;
    sd_event_source *pump; /* starts and delivers from the loop, never from inside a call */
    Store *store;
    char *jobs_root;
    RunnerCallbacks callbacks;
    void *userdata;
    sd_bus *bus;
    sd_bus_slot *subscribe_slot, *owner_slot;
    unsigned workers, n_jobs;
    TAILQ_HEAD(, Execution) executions;
};

static void wake(Runner *r) {
    (void)sd_event_source_set_enabled(r->pump, SD_EVENT_ONESHOT);
}

static void execution_free(Execution *x) {
    Runner *r = x->runner;

    TAILQ_REMOVE(&r->executions, x, entries);
    if (x->is_job && x->phase != WAITING)
        r->n_jobs--;
    job_free(x->job);
    command_run_free(x->run);
    if (x->values)
        argument_values_done(x->values, x->command->n_arguments);
    free(x->values);
    if (x->reply)
        (void)json_object_put(x->reply);
    x->request->execution = NULL;
    free(x);
}

static void deliver(Execution *x, JobEnd end, struct json_object *reply) {
    x->phase = FINISHED;
    x->runner->callbacks.on_finished(x->request, end, reply, x->runner->userdata);
}

/* The reply is handed on by the pump. */
static void finish_later(Execution *x, JobEnd end, struct json_object *reply) {
    x->end = end;
    x->reply = reply;
    wake(x->runner);
}

static void finish_with_error(Execution *x, const char *text) {
    struct json_object *reply = NULL;

    if (reply_new_error(text, &reply) < 0) {
        (void)log_oom(); /* the request stays open; the next start of the agent answers it */
        return;
    }
    finish_later(x, JOB_END_REFUSED, reply);
}

static void on_job_done(JobEnd end, struct json_object *reply, void *userdata) {
    deliver(userdata, end, reply);
}

static void on_run_done(int error, struct json_object *reply, void *userdata) {
    Execution *x = userdata;

    if (error < 0)
        finish_with_error(x, strerror(-error));
    else
        deliver(x, JOB_END_DONE, reply);
}

static void warn_of_unknown(Execution *x, struct json_object *arguments) {
    const char *name;
    size_t i = 0;

    while ((name = arguments_next_unknown(x->command->arguments, x->command->n_arguments, arguments,
                                          &i)))
        x->runner->callbacks.on_unknown_argument(x->request, name, x->runner->userdata);
}

/* -EINVAL with an error text for the reply */
static int load_arguments(Execution *x, char **ret_error) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    _cleanup_json_ struct json_object *payload = NULL;
    struct json_object *arguments;
    int r;

    *ret_error = NULL;
    r = store_load_request(x->runner->store, x->request->guid, true, &row);
    if (r >= 0)
        r = json_parse(strempty(row.payload), strlen(strempty(row.payload)), &payload);
    if (r < 0)
        return r;
    arguments = json_get(payload, "arguments");
    warn_of_unknown(x, arguments);
    x->values = calloc(MAX(x->command->n_arguments, (size_t)1), sizeof(*x->values));
    if (!x->values)
        return -ENOMEM;
    return arguments_parse(x->command->arguments, x->command->n_arguments, arguments, x->values,
                           ret_error);
}

static int start_inside(Execution *x) {
    const CommandContext context = {
        .event = x->runner->event,
        .done = on_run_done,
        .userdata = x,
    };
    struct json_object *reply = NULL;
    int r;

    r = x->command->run(&context, x->values, &reply, &x->run);
    if (r >= 0 && !x->run)
        finish_later(x, JOB_END_DONE, reply);
    return r;
}

static int start_job(Execution *x, char **ret_error) {
    JobSpec spec = {.script_fd = -1};
    int r;

    r = x->command->prepare(x->values, &spec, ret_error);
    if (r < 0)
        return r;
    return job_new(x->runner->bus, x->runner->jobs_root, x->request->guid, &spec, on_job_done, x,
                   &x->job);
}

static void start(Execution *x) {
    _cleanup_free_ char *error = NULL;
    int r;

    x->phase = RUNNING;
    if (x->is_job)
        x->runner->n_jobs++;
    x->runner->callbacks.on_started(x->request, x->runner->userdata);
    r = load_arguments(x, &error);
    if (r >= 0)
        r = x->is_job ? start_job(x, &error) : start_inside(x);
    if (r < 0)
        finish_with_error(x, error ?: strerror(-r));
}

static bool may_start(const Execution *x) {
    return !x->is_job || (x->runner->bus && x->runner->n_jobs < x->runner->workers);
}

static int on_pump(sd_event_source *source, void *userdata) {
    Runner *r = userdata;
    Execution *x, *next;

    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->reply)
            deliver(x, x->end, TAKE_PTR(x->reply));
        else if (x->phase == WAITING && may_start(x))
            start(x);
    }
    return 0;
}

int runner_add(Runner *r, Request *q) {
    Execution *x = calloc(1, sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->runner = r;
    x->request = q;
    x->command = command_find(q->command);
    x->is_job = x->command && x->command->prepare;
    TAILQ_INSERT_TAIL(&r->executions, x, entries);
    q->execution = x;
    if (!x->command) { /* accepted by a version that had it */
        x->phase = RUNNING;
        finish_with_error(x, "This version of the agent does not know the command");
    }
    wake(r);
    return 0;
}

void runner_cancel(Runner *r, Request *q) {
    Execution *x = q->execution;

    if (!x || x->phase == FINISHED || x->reply)
        return;
    if (x->job)
        (void)job_cancel(x->job);
    else if (x->is_job && x->phase == WAITING) {
        /* A start by an earlier process of ours may have got through: the job settles that. */
        if (r->bus)
            start(x);
        if (x->job)
            (void)job_cancel(x->job);
    }
}

void runner_cancel_all(Runner *r) {
    Execution *x, *next;

    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->job)
            (void)job_cancel(x->job);
    }
}

void runner_forget(Runner *r, Request *q) {
    if (!q->execution)
        return;
    if (q->execution->job)
        job_stored(q->execution->job);
    execution_free(q->execution);
    wake(r);
}

void runner_look_again(Runner *r) {
    Execution *x, *next;

    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->job)
            job_look_again(x->job);
    }
}

void runner_set_workers(Runner *r, unsigned workers) {
    r->workers = workers;
    wake(r);
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);

    if (e)
        log_warning("systemd's signals cannot be subscribed to: %s", strempty(e->message));
    runner_look_again(userdata);
    return 1;
}

/* Without a subscriber systemd sends no signals. */
static int subscribe(Runner *r) {
    r->subscribe_slot = sd_bus_slot_unref(r->subscribe_slot);
    return sd_bus_call_method_async(r->bus, &r->subscribe_slot, "org.freedesktop.systemd1",
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

    r->bus = sd_bus_ref(bus);
    k = sd_bus_add_match_async(bus, &r->owner_slot,
                               "type='signal',sender='org.freedesktop.DBus',"
                               "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                               "arg0='org.freedesktop.systemd1'",
                               on_systemd_owner, NULL, r);
    if (k >= 0)
        k = subscribe(r);
    wake(r);
    return k;
}

int runner_new(sd_event *event, Store *store, const char *jobs_root,
               const RunnerCallbacks *callbacks, void *userdata, Runner **ret) {
    Runner *r = calloc(1, sizeof(*r));
    int k;

    if (!r)
        return -ENOMEM;
    TAILQ_INIT(&r->executions);
    r->event = event;
    r->store = store;
    r->callbacks = *callbacks;
    r->userdata = userdata;
    r->workers = 1;
    r->jobs_root = strdup(jobs_root);
    k = r->jobs_root ? sd_event_add_defer(event, &r->pump, on_pump, r) : -ENOMEM;
    if (k >= 0)
        k = sd_event_source_set_enabled(r->pump, SD_EVENT_OFF);
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
        execution_free(TAILQ_FIRST(&r->executions));
    sd_event_source_disable_unref(r->pump);
    sd_bus_slot_unref(r->owner_slot);
    sd_bus_slot_unref(r->subscribe_slot);
    sd_bus_unref(r->bus);
    free(r->jobs_root);
    free(r);
    return NULL;
}
