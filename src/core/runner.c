/* SPDX-License-Identifier: Apache-2.0 */
/* A job keeps its worker until its reply is stored, so that what waits for a full disk is bounded.
 * The payload of a waiting request is in the store alone. What keeps a request from being taken up
 * and is not its own fault (no memory, an I/O error) is no answer to it, as its job may be running
 * already: it is taken up again later. */
#include "core/runner.h"

#include <stdio.h>
#include <sys/queue.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "core/command-list.h"
#include "core/fetch.h"
#include "core/job-result.h"
#include "proto/message.h"

#define RETRY_USEC USEC_PER_SEC

struct Execution {
    Runner *runner;
    Request *request;
    const Command *command;
    enum { WAITING, PAUSED, RUNNING, FINISHED } phase; /* PAUSED: WAITING when the timer ends */
    bool is_job;
    bool cancelled;
    bool stream;
    ArgumentValue *values; /* the job's strings live here */
    JobSpec spec;          /* while its script is downloaded */
    Fetch *fetch;
    Job *job;
    CommandRun *run;
    JobEnd end; /* when finished inside a call, until the loop delivers it */
    struct json_object *reply;
    TAILQ_ENTRY(Execution) entries;
};

struct Runner {
    sd_event *event;
    sd_event_source *pump;  /* starts and delivers from the loop, never from inside a call */
    sd_event_source *timer; /* ends all pauses */
    RunnerParts parts;
    RunnerCallbacks callbacks;
    void *userdata;
    sd_bus *bus;
    sd_bus_slot *subscribe_slot, *owner_slot;
    unsigned workers, n_jobs;
    bool paused;
    void (*on_jobs)(void *userdata);
    void *observer;
    TAILQ_HEAD(, Execution) executions;
};

static void wake(Runner *r) {
    (void)sd_event_source_set_enabled(r->pump, SD_EVENT_ONESHOT);
}

static void tell_jobs(void *userdata) {
    Runner *r = userdata;

    if (r->on_jobs)
        r->on_jobs(r->observer);
}

static void free_values(const Command *c, ArgumentValue *values) {
    if (values && c)
        argument_values_done(values, c->n_arguments);
    free(values);
}

static void execution_free(Execution *x) {
    Runner *r = x->runner;

    TAILQ_REMOVE(&r->executions, x, entries);
    if (x->is_job && x->phase >= RUNNING)
        r->n_jobs--;
    fetch_free(x->fetch);
    job_spec_done(&x->spec);
    job_free(x->job);
    command_run_free(x->run);
    free_values(x->command, x->values);
    command_unref(x->command);
    if (x->reply)
        (void)json_object_put(x->reply);
    x->request->execution = NULL;
    free(x);
}

/* -ENOMEM: it must be told again, later. */
static int take_effect(const Execution *x, const struct json_object *reply) {
    struct json_object *r = (struct json_object *)(uintptr_t)reply;

    if (!x->command || !x->command->done || !x->values ||
        json_object_get_int(json_get(r, "return_code")) != 0)
        return 0;
    effect_done(&x->request->effect);
    return x->command->done(x->values, &x->request->effect);
}

static void deliver_later(Execution *x, JobEnd end, struct json_object *reply) {
    x->end = end;
    x->reply = reply;
    (void)sd_event_source_set_time_relative(x->runner->timer, RETRY_USEC);
    (void)sd_event_source_set_enabled(x->runner->timer, SD_EVENT_ONESHOT);
}

static void deliver(Execution *x, JobEnd end, struct json_object *reply) {
    Request *q = x->request;

    if (take_effect(x, reply) < 0) {
        deliver_later(x, end, reply);
        return;
    }

    if (x->is_job)
        voices_remove(x->runner->parts.voices, q->guid);
    if (x->is_job)
        q->has_output = job_measure_output(x->runner->parts.jobs_root, q->guid, &q->output_bytes);
    x->phase = FINISHED;
    tell_jobs(x->runner);
    x->runner->callbacks.on_finished(x->request, end, reply, x->runner->userdata);
}

/* The reply is handed on by the pump. */
static void finish_later(Execution *x, JobEnd end, struct json_object *reply) {
    x->end = end;
    x->reply = reply;
    wake(x->runner);
}

/* Back to where it was before start(). */
static void put_off(Execution *x, int error) {
    Runner *r = x->runner;

    (void)log_struct(LOG_WARNING, error,
                     LOG_FIELDS(LOG_REQUEST(x->request->guid), LOG_COMMAND(x->request->command)),
                     "%s cannot be taken up: %m; trying again in 1 s", x->request->guid);
    if (x->is_job && x->phase >= RUNNING)
        r->n_jobs--;
    x->phase = PAUSED;
    tell_jobs(r);
    free_values(x->command, TAKE_PTR(x->values));
    (void)sd_event_source_set_time_relative(r->timer, RETRY_USEC);
    (void)sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

static void finish_with_error(Execution *x, const char *text) {
    struct json_object *reply = NULL;
    int r;

    r = reply_new_error(text, &reply);
    if (r < 0)
        put_off(x, r);
    else
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

static void warn_of_unknown(Runner *r, Request *q, const Command *c,
                            struct json_object *arguments) {
    const char *name;
    size_t i = 0;

    while ((name = arguments_next_unknown(c->arguments, c->n_arguments, arguments, &i)))
        r->callbacks.on_unknown_argument(q, name, r->userdata);
}

/* -EINVAL with an error text for the reply; another error passes. */
static int parse_payload(Runner *r, Request *q, const Command *c, const char *payload,
                         ArgumentValue **ret, char **ret_error) {
    _cleanup_json_ struct json_object *json = NULL;
    struct json_object *arguments;
    ArgumentValue *values;
    int k;

    k = json_parse(strempty(payload), strlen(strempty(payload)), &json);
    if (k == -ENOMEM)
        return k;
    if (k < 0) { /* it was JSON when it was stored */
        *ret_error = strdup("The stored request is damaged");
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    values = calloc(MAX(c->n_arguments, (size_t)1), sizeof(*values));
    if (!values)
        return -ENOMEM;
    arguments = json_get(json, "arguments");
    k = arguments_parse(c->arguments, c->n_arguments, arguments, values, ret_error);
    if (k < 0) {
        free_values(c, values);
        return k;
    }
    warn_of_unknown(r, q, c, arguments);
    *ret = values;
    return 0;
}

static int load_payload(Runner *r, const Request *q, char **ret) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    int k;

    if (r->callbacks.load_payload)
        return r->callbacks.load_payload(q, ret, r->userdata);
    k = store_load_request(r->parts.store, q->guid, true, &row);
    if (k >= 0)
        *ret = TAKE_PTR(row.payload);
    return k;
}

static int load_arguments(Execution *x, char **ret_error) {
    _cleanup_free_ char *payload = NULL;
    int r;

    r = load_payload(x->runner, x->request, &payload);
    if (r < 0)
        return r;
    return parse_payload(x->runner, x->request, x->command, payload, &x->values, ret_error);
}

static CommandContext make_context(const Runner *r, const Request *q) {
    return (CommandContext){
        .event = r->event,
        .store = r->parts.store,
        .jobs_root = r->parts.jobs_root,
        .guid = q->guid,
        .facts = r->parts.facts,
    };
}

static int start_inside(Execution *x, char **ret_error) {
    CommandContext context = make_context(x->runner, x->request);
    struct json_object *reply = NULL;
    int r;

    context.done = on_run_done;
    context.userdata = x;
    r = x->command->run(&context, x->values, &reply, &x->run);
    if (r < 0 && r != -ENOMEM) { /* what it wanted to read cannot be read */
        *ret_error = strdup(strerror(-r));
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    if (r >= 0 && !x->run)
        finish_later(x, JOB_END_DONE, reply);
    return r;
}

static void on_job_changed(void *userdata) {
    Execution *x = userdata;

    if (job_get_directory(x->job) >= 0)
        voices_add(x->runner->parts.voices, x->request->guid, x->request->command,
                   job_get_directory(x->job), x->stream);
    tell_jobs(x->runner);
}

static int launch(Execution *x) {
    Runner *r = x->runner;
    int k;

    x->stream = x->spec.stream;
    k = job_new(r->bus, r->parts.jobs_root, x->request->guid, &x->spec, on_job_done, x, &x->job);
    if (k >= 0) {
        job_set_observer(x->job, on_job_changed, x);
        job_set_paused(x->job, r->paused);
    }
    return k >= 0 && x->cancelled ? job_cancel(x->job) : k;
}

/* With what was downloaded, or with nothing: then what is there decides. */
static void go_on(Execution *x) {
    int r;

    x->fetch = fetch_free(x->fetch);
    r = launch(x);
    if (r < 0)
        put_off(x, r);
}

static void on_fetched(int fd, const char *problem, void *userdata) {
    Execution *x = userdata;

    x->spec.script_fd = fd;
    if (fd >= 0 || job_has_begun(x->runner->parts.jobs_root, x->request->guid)) {
        go_on(x);
        return;
    }
    x->fetch = fetch_free(x->fetch);
    finish_with_error(x, problem);
}

static int start_job(Execution *x, char **ret_error) {
    Runner *r = x->runner;
    const CommandContext context = make_context(r, x->request);
    int k = 0;

    if (x->command)
        k = x->command->prepare(x->command, &context, x->values, &x->spec, ret_error);
    else
        x->spec.command = x->request->command;
    if (k < 0)
        return k;
    if (x->spec.source.url && !x->cancelled &&
        job_needs_script(r->parts.jobs_root, x->request->guid))
        return fetch_new(r->bus, x->request->guid, &x->spec, on_fetched, x, &x->fetch);
    return launch(x);
}

static void start(Execution *x) {
    _cleanup_free_ char *error = NULL;
    int r;

    x->phase = RUNNING;
    tell_jobs(x->runner);
    if (x->is_job)
        x->runner->n_jobs++;
    if (!x->command && !x->is_job) {
        finish_with_error(x, "The command is no longer known to this agent");
        return;
    }
    r = x->command ? load_arguments(x, &error) : 0;
    if (r == -ENOENT) { /* the manager gave it up, and it was forgotten while it waited */
        finish_with_error(x, "The request is no longer stored");
        return;
    }
    if (r >= 0)
        r = x->is_job ? start_job(x, &error) : start_inside(x, &error);
    if (r < 0 && !error) {
        put_off(x, r);
        return;
    }
    x->runner->callbacks.on_started(x->request, x->runner->userdata);
    if (r < 0)
        finish_with_error(x, error);
}

int runner_run_now(Runner *r, Request *q, struct json_object **ret_reply) {
    const CommandContext context = make_context(r, q);
    const Command *c = command_find(q->command);
    _cleanup_free_ char *error = NULL;
    ArgumentValue *values = NULL;
    CommandRun *none = NULL;
    int k;

    if (!c || c->kind != COMMAND_IMMEDIATE || !q->payload)
        return 0;
    k = parse_payload(r, q, c, q->payload, &values, &error);
    if (k >= 0)
        k = c->run(&context, values, ret_reply, &none);
    if (k >= 0 && c->done)
        k = c->done(values, &q->effect);
    free_values(c, values);
    if (k < 0 && error)
        k = reply_new_error(error, ret_reply);
    return k < 0 ? 0 : 1; /* what failed is tried again from the store */
}

static bool may_start(const Execution *x) {
    const Runner *r = x->runner;

    if (!x->is_job)
        return true;
    return r->bus && r->n_jobs < r->workers &&
           (!r->paused || x->cancelled || job_has_begun(r->parts.jobs_root, x->request->guid));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Runner *r = userdata;
    Execution *x;

    TAILQ_FOREACH(x, &r->executions, entries) {
        if (x->phase == PAUSED)
            x->phase = WAITING;
    }
    wake(r);
    return 0;
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
    x->spec = JOB_SPEC_INIT;
    x->request = q;
    x->command = command_ref(command_find(q->command));
    /* a command that is gone may have left a job */
    x->is_job =
        x->command ? x->command->prepare != NULL : job_has_begun(r->parts.jobs_root, q->guid);
    TAILQ_INSERT_TAIL(&r->executions, x, entries);
    q->execution = x;
    tell_jobs(r);
    wake(r);
    return 0;
}

void runner_cancel(Runner *r, Request *q) {
    Execution *x = q->execution;

    if (!x || x->phase == FINISHED || x->reply)
        return;
    x->cancelled = true;
    tell_jobs(r);
    if (x->job)
        (void)job_cancel(x->job);
    else if (x->fetch)
        go_on(x);
    else if (x->is_job && x->phase == WAITING && r->bus)
        /* A start by an earlier process of ours may have got through: the job settles that. */
        start(x);
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
    tell_jobs(r);
    wake(r);
}

static JobPhase phase_of(const Execution *x) {
    if (x->phase == FINISHED || x->reply)
        return JOB_STORING;
    if (x->phase < RUNNING)
        return JOB_WAITING;
    return x->job ? job_get_phase(x->job) : JOB_STARTING;
}

int runner_visit_jobs(const Runner *r, JobVisitor visit, void *userdata) {
    unsigned n_waiting = 0;
    const Execution *x;
    int k;

    TAILQ_FOREACH(x, &r->executions, entries) {
        JobInfo info = {.request = x->request, .phase = phase_of(x)};

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
    r->on_jobs = on_jobs;
    r->observer = userdata;
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

void runner_set_paused(Runner *r, bool paused) {
    Execution *x, *next;

    r->paused = paused;
    for (x = TAILQ_FIRST(&r->executions); x; x = next) {
        next = TAILQ_NEXT(x, entries);
        if (x->job)
            job_set_paused(x->job, paused);
    }
    wake(r);
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);

    /* the other runner may have been first */
    if (e && !sd_bus_error_has_name(e, "org.freedesktop.systemd1.AlreadySubscribed"))
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

int runner_new(sd_event *event, const RunnerParts *parts, const RunnerCallbacks *callbacks,
               void *userdata, Runner **ret) {
    Runner *r = calloc(1, sizeof(*r));
    int k;

    if (!r)
        return -ENOMEM;
    TAILQ_INIT(&r->executions);
    r->event = event;
    r->parts = *parts;
    r->callbacks = *callbacks;
    r->userdata = userdata;
    r->workers = 1;
    k = sd_event_add_defer(event, &r->pump, on_pump, r);
    if (k >= 0)
        k = sd_event_source_set_enabled(r->pump, SD_EVENT_OFF);
    if (k >= 0)
        k = sd_event_add_time_relative(event, &r->timer, CLOCK_BOOTTIME, 0, 0, on_timer, r);
    if (k >= 0)
        k = sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
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
    sd_event_source_disable_unref(r->timer);
    sd_bus_slot_unref(r->owner_slot);
    sd_bus_slot_unref(r->subscribe_slot);
    sd_bus_unref(r->bus);
    free(r);
    return NULL;
}
