/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of a waiting task is in the store alone. If a task cannot be taken up for reasons
 * that are not its own (memory, I/O errors), it gets no error reply, because its job may already be
 * running; it is retried later. */
#include "job/execution.h"

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/timer.h"
#include "job/job-result.h"
#include "proto/message.h"

#define RETRY_USEC USEC_PER_SEC

void execution_host_wake(const ExecutionHost *h) {
    (void)sd_event_source_set_enabled(h->pump, SD_EVENT_ONESHOT);
}

void execution_host_tell(const ExecutionHost *h) {
    if (h->on_jobs)
        h->on_jobs(h->observer);
}

static void free_values(const Command *c, ArgumentValue *values) {
    if (values && c)
        argument_values_done(values, c->n_arguments);
    free(values);
}

int execution_new(ExecutionHost *host, Task *t, Execution **ret) {
    Execution *x = calloc(1, sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->host = host;
    x->spec = JOB_SPEC_INIT;
    x->task = t;
    x->command = t->definition;
    /* a command that is gone or has changed may have left a job */
    x->is_job =
        (x->command && x->command->prepare) || job_has_begun(host->parts.jobs_root, t->guid);
    t->execution = x;
    *ret = x;
    return 0;
}

Execution *execution_free(Execution *x) {
    ExecutionHost *h = x->host;

    if (x->is_job && x->phase >= EXECUTION_RUNNING)
        h->n_jobs--;
    fetch_free(x->fetch);
    job_spec_done(&x->spec);
    job_free(x->job);
    command_run_free(x->run);
    free_values(x->command, x->values);
    if (x->reply)
        (void)json_object_put(x->reply);
    x->task->execution = NULL;
    free(x);
    return NULL;
}

/* -ENOMEM: retry later. */
static int take_effect(const Execution *x, const struct json_object *reply) {
    struct json_object *r = (struct json_object *)(uintptr_t)reply;

    if (!x->command || !x->command->done || !x->values ||
        json_object_get_int(json_get(r, "return_code")) != 0)
        return 0;
    effect_done(&x->task->effect);
    return x->command->done(x->command, x->values, &x->task->effect);
}

static void deliver_later(Execution *x, JobEnd end, struct json_object *reply) {
    x->end = end;
    x->reply = reply;
    (void)timer_arm_in(x->host->timer, RETRY_USEC);
}

static void deliver(Execution *x, JobEnd end, struct json_object *reply) {
    Task *t = x->task;

    if (take_effect(x, reply) < 0) {
        deliver_later(x, end, reply);
        return;
    }
    if (x->is_job) {
        voices_remove(x->host->parts.voices, t->guid);
        t->has_output = job_measure_output(x->host->parts.jobs_root, t->guid, &t->output_bytes);
    }
    x->phase = EXECUTION_FINISHED;
    execution_host_tell(x->host);
    t->callbacks->on_finished(end, reply, t->userdata);
}

void execution_deliver(Execution *x) {
    deliver(x, x->end, TAKE_PTR(x->reply));
}

/* Lets the pump deliver the reply. */
static void finish_later(Execution *x, JobEnd end, struct json_object *reply) {
    x->end = end;
    x->reply = reply;
    execution_host_wake(x->host);
}

/* Returns to the state before execution_start(). */
static void put_off(Execution *x, int error) {
    ExecutionHost *h = x->host;

    (void)log_struct(LOG_WARNING, error,
                     LOG_FIELDS(LOG_REQUEST(x->task->guid), LOG_COMMAND(x->task->command)),
                     "Request %s cannot be resumed: %m; retrying in 1 s", x->task->guid);
    if (x->is_job && x->phase >= EXECUTION_RUNNING)
        h->n_jobs--;
    x->phase = EXECUTION_PAUSED;
    execution_host_tell(h);
    free_values(x->command, TAKE_PTR(x->values));
    (void)timer_arm_in(h->timer, RETRY_USEC);
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

static void warn_of_unknown(const Task *t, struct json_object *arguments) {
    const Command *c = t->definition;
    const char *name;
    size_t i = 0;

    while ((name = arguments_next_unknown(c->arguments, c->n_arguments, arguments, &i)))
        t->callbacks->on_unknown_argument(name, t->userdata);
}

/* -EINVAL, with an error text for the reply; other errors are temporary. */
static int parse_arguments(const Task *t, struct json_object *payload, ArgumentValue **ret,
                           char **ret_error) {
    const Command *c = t->definition;
    struct json_object *arguments;
    ArgumentValue *values;
    int k;

    values = calloc(MAX(c->n_arguments, (size_t)1), sizeof(*values));
    if (!values)
        return -ENOMEM;
    arguments = json_get(payload, "arguments");
    k = command_parse_arguments(c, arguments, values, ret_error);
    if (k < 0) {
        free_values(c, values);
        return k;
    }
    warn_of_unknown(t, arguments);
    *ret = values;
    return 0;
}

/* The same for a stored payload. */
static int parse_payload(const Task *t, const char *text, ArgumentValue **ret, char **ret_error) {
    _cleanup_json_ struct json_object *payload = NULL;
    int k;

    k = json_parse_stored(strempty(text), strlen(strempty(text)), &payload);
    if (k == -ENOMEM)
        return k;
    if (k < 0) { /* it was valid JSON when it was stored */
        *ret_error = strdup("The stored request is damaged");
        return *ret_error ? -EINVAL : -ENOMEM;
    }
    return parse_arguments(t, payload, ret, ret_error);
}

static int load_arguments(Execution *x, char **ret_error) {
    _cleanup_json_ struct json_object *parsed = TAKE_PTR(x->task->payload);
    _cleanup_free_ char *payload = NULL;

    if (parsed)
        return parse_arguments(x->task, parsed, &x->values, ret_error);
    TRY(x->task->callbacks->load_payload(&payload, x->task->userdata));
    return parse_payload(x->task, payload, &x->values, ret_error);
}

static CommandContext make_context(const ExecutionHost *h, const Task *t) {
    return (CommandContext){
        .event = h->event,
        .store = h->parts.store,
        .jobs_root = h->parts.jobs_root,
        .guid = t->guid,
        .name = t->command,
        .command = t->definition,
        .facts = h->parts.facts,
    };
}

static int start_inside(Execution *x, char **ret_error) {
    CommandContext context = make_context(x->host, x->task);
    struct json_object *reply = NULL;
    int r;

    context.done = on_run_done;
    context.userdata = x;
    r = x->command->run(&context, x->values, &reply, &x->run);
    if (r < 0 && r != -ENOMEM) { /* the command could not read its data */
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
        voices_add(x->host->parts.voices, x->task->guid, x->task->command,
                   job_get_directory(x->job), x->stream);
    execution_host_tell(x->host);
}

static int launch(Execution *x) {
    ExecutionHost *h = x->host;
    int k;

    x->stream = x->spec.stream;
    x->spec.settings = &h->settings;
    k = job_new(h->bus, h->parts.jobs_root, x->task->guid, &x->spec, on_job_done, x, &x->job);
    if (k >= 0) {
        job_set_observer(x->job, on_job_changed, x);
        job_set_trouble(x->job, h->parts.trouble);
        job_set_paused(x->job, h->paused);
    }
    return k >= 0 && x->cancelled ? job_cancel(x->job) : k;
}

/* Starts the job with the downloaded script; or without one, if the executor has a copy. */
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
    if (fd >= 0 || job_has_begun(x->host->parts.jobs_root, x->task->guid)) {
        go_on(x);
        return;
    }
    x->fetch = fetch_free(x->fetch);
    finish_with_error(x, problem);
}

static int download(Execution *x) {
    TRY(fetch_new(x->host->bus, x->task->guid, &x->spec, on_fetched, x, &x->fetch));
    fetch_set_trouble(x->fetch, x->host->parts.trouble);
    return 0;
}

/* Follows a job that has begun, whatever its command's file says now. With an empty command name
 * the executor starts nothing, and answers once no earlier start is pending. */
static int follow(Execution *x) {
    free_values(x->command, TAKE_PTR(x->values));
    x->spec.command = "";
    return launch(x);
}

static int follow_changed(Execution *x, const char *problem) {
    (void)log_struct(LOG_WARNING, 0,
                     LOG_FIELDS(LOG_REQUEST(x->task->guid), LOG_COMMAND(x->task->command)),
                     "The file of %s has changed since %s was started: %s; its end is reported as "
                     "text",
                     x->task->command, x->task->guid, problem);
    return follow(x);
}

static int start_job(Execution *x, char **ret_error) {
    ExecutionHost *h = x->host;
    const CommandContext context = make_context(h, x->task);
    int k;

    if (!x->command || !x->command->prepare)
        return follow(x);
    k = x->command->prepare(x->command, &context, x->values, &x->spec, ret_error);
    if (k < 0)
        return k;
    if (x->spec.source.url && !x->cancelled && job_needs_script(h->parts.jobs_root, x->task->guid))
        return download(x);
    return launch(x);
}

void execution_start(Execution *x) {
    _cleanup_free_ char *error = NULL;
    int r;

    x->phase = EXECUTION_RUNNING;
    execution_host_tell(x->host);
    if (x->is_job)
        x->host->n_jobs++;
    if (!x->command && !x->is_job) {
        finish_with_error(x, "The command is no longer known to this agent");
        return;
    }
    r = x->command ? load_arguments(x, &error) : 0;
    if (r == -ENOENT) { /* the manager gave the request up, and it expired while it waited */
        finish_with_error(x, "The request is no longer stored");
        return;
    }
    if (r >= 0)
        r = x->is_job ? start_job(x, &error) : start_inside(x, &error);
    if (r < 0 && error && x->is_job && job_has_begun(x->host->parts.jobs_root, x->task->guid)) {
        r = follow_changed(x, error);
        free(TAKE_PTR(error));
    }
    if (r < 0 && !error) {
        put_off(x, r);
        return;
    }
    x->task->callbacks->on_started(x->task->userdata);
    if (r < 0)
        finish_with_error(x, error);
}

int execution_run_now(ExecutionHost *h, Task *t, struct json_object *payload,
                      struct json_object **ret_reply) {
    const CommandContext context = make_context(h, t);
    const Command *c = t->definition;
    _cleanup_free_ char *error = NULL;
    ArgumentValue *values = NULL;
    CommandRun *none = NULL;
    int k;

    if (!c || c->kind != COMMAND_IMMEDIATE)
        return 0;
    k = parse_arguments(t, payload, &values, &error);
    if (k >= 0)
        k = c->run(&context, values, ret_reply, &none);
    if (k >= 0 && c->done)
        k = c->done(c, values, &t->effect);
    free_values(c, values);
    if (k < 0 && error)
        k = reply_new_error(error, ret_reply);
    return k < 0 ? 0 : 1; /* a failed one is retried from the store */
}

void execution_cancel(Execution *x) {
    ExecutionHost *h = x->host;

    if (x->phase == EXECUTION_FINISHED || x->reply)
        return;
    x->cancelled = true;
    execution_host_tell(h);
    if (x->job)
        (void)job_cancel(x->job);
    else if (x->fetch)
        go_on(x);
    else if (x->is_job && x->phase == EXECUTION_WAITING && h->bus)
        /* an earlier process may have started the job already; the job determines that */
        execution_start(x);
}

JobPhase execution_get_phase(const Execution *x) {
    if (x->phase == EXECUTION_FINISHED || x->reply)
        return JOB_STORING;
    if (x->phase < EXECUTION_RUNNING)
        return JOB_WAITING;
    return x->job ? job_get_phase(x->job) : JOB_STARTING;
}
