/* SPDX-License-Identifier: Apache-2.0 */
/* A job is a separate Task in a second Runner; the manager's request is answered, and leaves memory
 * meanwhile. Its row becomes RUNNING, and later ends, in separate transactions. If the end cannot
 * be stored, the agent retries; the job keeps its worker until then. */
#include "request/long-jobs.h"

#include <stdio.h>
#include <sys/queue.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "commands/command-list.h"
#include "commands/job-description.h"
#include "proto/message.h"
#include "store/job-row.h"

#define RETRY_USEC (5 * USEC_PER_SEC)

typedef struct LongJob {
    Task task;
    LongJobs *owner;
    struct json_object *reply; /* not stored yet */
    bool begun;                /* its row is committed */
    bool cancelled;            /* before its row was committed */
    TAILQ_ENTRY(LongJob) entries;
} LongJob;

struct LongJobs {
    Store *store;
    const CommandFacts *facts;
    Console *console;
    Runner *runner;
    LongJobsCallbacks callbacks;
    void *userdata;
    char *customer_id;
    sd_event_source *retry_timer;
    TAILQ_HEAD(, LongJob) jobs;
};

static LongJob *find(LongJobs *l, const char *guid) {
    LongJob *j;

    TAILQ_FOREACH(j, &l->jobs, entries)
    if (streq(j->task.guid, guid))
        return j;
    return NULL;
}

static void drop(LongJobs *l, LongJob *j) {
    TAILQ_REMOVE(&l->jobs, j, entries);
    if (j->task.execution)
        runner_forget(l->runner, &j->task);
    if (j->reply)
        (void)json_object_put(j->reply);
    task_done(&j->task);
    free(j);
}

/* Commits all pending changes first. */
static int begin_transaction(LongJobs *l) {
    TRY(l->callbacks.commit(l->userdata));
    return store_begin(l->store);
}

static int store_end(LongJobs *l, const LongJob *j) {
    bool good = json_object_get_int(json_get(j->reply, "return_code")) == 0;
    size_t size;
    const char *text = json_to_text(j->reply, &size);
    int r;

    if (!text)
        return -ENOMEM;
    TRY(begin_transaction(l));
    r = store_finish_job(l->store, j->task.guid, good ? JOB_STATUS_COMPLETE : JOB_STATUS_ERROR,
                         text);
    if (r >= 0)
        r = task_store_end(&j->task, l->store, NULL);
    return store_finish(l->store, r);
}

static void retry_later(LongJobs *l) {
    (void)timer_arm_in(l->retry_timer, RETRY_USEC);
}

static void finish(LongJobs *l, LongJob *j) {
    int return_code = json_object_get_int(json_get(j->reply, "return_code"));
    const Task *t = &j->task;
    char code[16];
    int r;

    r = store_end(l, j);
    if (r < 0) {
        (void)log_struct(LOG_WARNING, r, LOG_FIELDS(LOG_REQUEST(t->guid), LOG_COMMAND(t->command)),
                         "The end of a long job cannot be stored: %m; retrying in 5 s");
        retry_later(l);
        return;
    }
    (void)snprintf(code, sizeof(code), "%d", return_code);
    (void)log_struct(LOG_INFO, 0,
                     LOG_FIELDS(LOG_ID(DCM_MESSAGE_JOB_ENDED), LOG_REQUEST(t->guid),
                                LOG_COMMAND(t->command), LOG_RETURN_CODE(code)),
                     "The long job %s of %s ended with %d", t->command, t->guid, return_code);
    console_log(l->console, return_code == 0 ? LOG_INFO : LOG_ERR,
                "The job %s with request_id %s has %s with return code %d.", t->command, t->guid,
                return_code == 0 ? "succeeded" : "failed", return_code);
    drop(l, j);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
    LongJobs *l = userdata;
    LongJob *j, *next;

    /* pending changes may fail here, which frees their jobs */
    (void)l->callbacks.commit(l->userdata);
    for (j = TAILQ_FIRST(&l->jobs); j; j = next) {
        next = TAILQ_NEXT(j, entries);
        if (j->reply)
            finish(l, j);
    }
    return 0;
}

static void on_finished(JobEnd end, struct json_object *reply, void *userdata) {
    LongJob *j = userdata;
    const Task *t = &j->task;

    if (end == JOB_END_LOST)
        (void)log_struct(
            LOG_ERR, 0,
            LOG_FIELDS(LOG_ID(DCM_MESSAGE_JOB_LOST), LOG_REQUEST(t->guid), LOG_COMMAND(t->command)),
            "The job of %s was interrupted; its result is lost", t->guid);
    j->reply = reply;
    finish(j->owner, j);
}

/* A failure is harmless: the row only stays WAITING for longer. */
static void on_started(void *userdata) {
    const LongJob *j = userdata;
    LongJobs *l = j->owner;
    int r;

    console_log(l->console, LOG_INFO, "The job %s has started with request_id %s.", j->task.command,
                j->task.guid);
    r = begin_transaction(l);
    if (r >= 0)
        r = store_finish(l->store, store_start_job(l->store, j->task.guid));
    if (r < 0)
        (void)log_debug_errno(r, "The start of a long job cannot be stored: %m");
}

static void on_unknown_argument(const char *name, void *userdata) {
    const LongJob *j = userdata;
    LongJobs *l = j->owner;

    console_log(l->console, LOG_WARNING,
                "The command %s with request_id %s ignores the unknown parameter %.*s.",
                j->task.command, j->task.guid, UTF8_SHORT(name, COMMAND_FILE_NAME_MAX));
}

static int load_payload(char **ret, void *userdata) {
    const LongJob *j = userdata;
    LongJobs *l = j->owner;

    return store_load_job_payload(l->store, j->task.guid, ret);
}

static const TaskCallbacks task_callbacks = {
    .on_finished = on_finished,
    .on_started = on_started,
    .on_unknown_argument = on_unknown_argument,
    .load_payload = load_payload,
};

static int add(LongJobs *l, const char *guid, const char *command, const Command *definition,
               LongJob **ret) {
    LongJob *j = calloc(1, sizeof(*j));
    int r;

    if (!j)
        return -ENOMEM;
    r = task_init(&j->task, guid, command);
    if (r < 0) {
        task_done(&j->task);
        free(j);
        return r;
    }
    j->task.definition = command_ref(definition);
    j->task.callbacks = &task_callbacks;
    j->task.userdata = j;
    j->owner = l;
    TAILQ_INSERT_TAIL(&l->jobs, j, entries);
    *ret = j;
    return 0;
}

bool long_jobs_wants(const Request *q, struct json_object *payload) {
    const Command *c = q->task.definition;
    struct json_object *wish;

    if (!c || !c->prepare)
        return false;
    wish = json_get(payload, "longer_runner");
    return wish ? json_object_get_boolean(wish) : c->kind == COMMAND_LONG;
}

/* Checks as the runner will, so that the first reply reports invalid arguments. */
static int check_arguments(LongJobs *l, const Request *q, struct json_object *payload,
                           char **ret_error) {
    const Command *c = q->task.definition;
    const CommandContext context = {
        .store = l->store,
        .guid = q->task.guid,
        .name = q->task.command,
        .command = c,
        .facts = l->facts,
    };
    JobSpec spec = JOB_SPEC_INIT;
    ArgumentValue *values;
    int r;

    values = calloc(MAX(c->n_arguments, (size_t)1), sizeof(*values));
    if (!values)
        return -ENOMEM;
    r = command_parse_arguments(c, json_get(payload, "arguments"), values, ret_error);
    if (r >= 0)
        r = c->prepare(c, &context, values, &spec, ret_error);
    job_spec_done(&spec);
    argument_values_done(values, c->n_arguments);
    free(values);
    return r;
}

int long_jobs_accept(LongJobs *l, const Request *q, struct json_object *payload,
                     struct json_object **ret_reply) {
    StoredJob row = {
        .guid = q->task.guid,
        .command = q->task.command,
        .customer_id = l->customer_id,
        .payload = q->payload,
    };
    _cleanup_free_ char *error = NULL;
    LongJob *j = NULL;
    int r;

    r = check_arguments(l, q, payload, &error);
    if (r < 0)
        return error ? reply_new_error(error, ret_reply) : r;
    r = add(l, q->task.guid, q->task.command, q->task.definition, &j);
    if (r >= 0)
        j->task.accepted_usec = q->task.accepted_usec;
    if (r >= 0)
        r = store_insert_job(l->store, &row, &row.job_id);
    if (r >= 0)
        r = job_description(&row, ret_reply);
    if (r >= 0)
        runner_offer_payload(l->runner, &j->task, payload);
    else if (j)
        drop(l, j);
    return r;
}

bool long_jobs_begin(LongJobs *l, const char *guid) {
    LongJob *j = find(l, guid);
    int r;

    if (!j || j->begun)
        return j;
    j->begun = true;
    r = runner_add(l->runner, &j->task);
    if (r < 0)
        l->callbacks.on_broken(r, l->userdata);
    else if (j->cancelled)
        runner_cancel(l->runner, &j->task);
    return true;
}

void long_jobs_abandon(LongJobs *l, const char *guid) {
    LongJob *j = find(l, guid);

    if (j && !j->begun)
        drop(l, j);
}

bool long_jobs_has(LongJobs *l, const char *guid) {
    return find(l, guid);
}

bool long_jobs_cancel(LongJobs *l, const char *guid) {
    LongJob *j = find(l, guid);

    if (!j || j->reply)
        return false;
    j->cancelled = true;
    if (j->begun)
        runner_cancel(l->runner, &j->task);
    return true;
}

Runner *long_jobs_get_runner(const LongJobs *l) {
    return l->runner;
}

int long_jobs_set_customer(LongJobs *l, const char *customer_id) {
    return free_and_strdup(&l->customer_id, customer_id);
}

static int take_up(const StoredJob *row, void *userdata) {
    _cleanup_(stored_request_done) StoredRequest request = {};
    LongJobs *l = userdata;
    LongJob *j = NULL;

    TRY(add(l, row->guid, row->command, command_find(row->command), &j));
    if (store_load_request(l->store, row->guid, false, &request) >= 0) /* only for people */
        j->task.accepted_usec = request.accepted_usec;
    j->begun = true;
    return runner_add(l->runner, &j->task);
}

int long_jobs_new(sd_event *event, const RunnerParts *parts, Console *console,
                  const LongJobsCallbacks *callbacks, void *userdata, LongJobs **ret) {
    LongJobs *l = calloc(1, sizeof(*l));
    int r;

    if (!l)
        return -ENOMEM;
    TAILQ_INIT(&l->jobs);
    l->store = parts->store;
    l->facts = parts->facts;
    l->console = console;
    l->callbacks = *callbacks;
    l->userdata = userdata;
    r = runner_new(event, parts, &l->runner);
    if (r >= 0)
        r = timer_new(event, 0, on_retry, l, &l->retry_timer);
    if (r >= 0)
        r = store_visit_unfinished_jobs(parts->store, take_up, l);
    if (r < 0) {
        long_jobs_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

LongJobs *long_jobs_free(LongJobs *l) {
    if (!l)
        return NULL;
    sd_event_source_disable_unref(l->retry_timer);
    l->runner = runner_free(l->runner);
    while (!TAILQ_EMPTY(&l->jobs))
        drop(l, TAILQ_FIRST(&l->jobs));
    free(l->customer_id);
    free(l);
    return NULL;
}
