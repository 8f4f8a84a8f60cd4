/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   event ─▶ request_flow_fire() ─▶ transition ─┬─ no store ─▶ perform()
 *                                               └─ store ─▶ batch ─▶ commit ─┬─▶ perform() for each
 *                                                                            └─▶ undo() for each
 *
 * Invariants: an ACK or a REPLY leaves only after the commit that it promises; a job starts only
 * after its ACK's commit; a request whose reply could not be stored stays ACKED, keeps the reply in
 * memory and retries. */
#include "request/request-flow.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "commands/command-list.h"
#include "commands/job-description.h"
#include "proto/message.h"
#include "request/batch.h"
#include "request/long-jobs.h"
#include "request/request-log.h"
#include "request/sender.h"

#define STORE_RETRY_USEC (5 * USEC_PER_SEC)
#define RESEND_MAX_USEC (300 * USEC_PER_SEC)
#define OPEN_STATES ((1u << REQUEST_STATE_ACKED) | (1u << REQUEST_STATE_REPLY))

struct RequestFlow {
    sd_event *event;
    Store *store;
    Connection *connection;
    Console *console;
    Batch *batch;
    Sender *sender;
    Runner *runner;
    LongJobs *long_jobs;
    RequestTable *requests;
    RequestFlowOptions options;
    RequestLog log;
    RequestFlowCallbacks callbacks;
    void *userdata;
    char *agent_id;
};

#define FIELDS(q) LOG_FIELDS(LOG_REQUEST((q)->task.guid), LOG_COMMAND((q)->task.command))

static bool is_final(RequestState state) {
    return !((1u << state) & OPEN_STATES) && state != REQUEST_STATE_REQUESTING;
}

static void changed(RequestFlow *f, const Request *q, RequestState state) {
    f->callbacks.on_changed(q, state, f->userdata);
}

/* Requests in a final state exist in the store alone. */
static void forget_if_final(Request *q) {
    if (is_final(q->state) && q->n_pending == 0 && !q->task.execution)
        request_table_remove(q->flow->requests, q);
}

/* Stores the row and its reply in one commit. A task that cannot be answered now starts after
 * it. */
static void answer_at_once(Request *q, struct json_object *payload) {
    RequestFlow *f = q->flow;
    int r;

    if (long_jobs_wants(q, payload)) {
        r = long_jobs_accept(f->long_jobs, q, payload, &q->reply);
        if (r < 0) { /* not without its job */
            batch_fail(f->batch, r);
            return;
        }
    } else {
        r = runner_run_now(f->runner, &q->task, payload, &q->reply);
        if (r == 0)
            runner_offer_payload(f->runner, &q->task, payload);
        if (r <= 0)
            return;
        request_log_decide_noise(&f->log, q);
    }
    request_flow_fire(q, REQUEST_EVENT_FINISHED);
}

/* 0: nothing remains to be done, and the request may be freed. */
static int fire(Request *q, RequestEvent event) {
    RequestTransition t = request_transition(q->state, event);

    if (t.next == q->state && t.actions == 0) {
        (void)log_struct(LOG_DEBUG, 0, FIELDS(q), "Event %d in state %s is ignored", event,
                         request_state_to_string(q->state));
        forget_if_final(q);
        return 0;
    }
    TRY(batch_add(q->flow->batch, q, event, &t));
    return 1;
}

void request_flow_fire(Request *q, RequestEvent event) {
    (void)fire(q, event); /* the batch reports failures */
}

void request_flow_accept(Request *q, struct json_object *payload) {
    if (fire(q, REQUEST_EVENT_ACCEPT) > 0)
        answer_at_once(q, payload);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Request *q = userdata;

    if (q->reply)
        request_flow_fire(q, REQUEST_EVENT_FINISHED);
    else
        request_flow_fire(q, REQUEST_EVENT_TIMEOUT);
    return 0;
}

static void arm_timer(Request *q, uint64_t wait_usec) {
    int r = 0;

    if (!q->timer)
        r = timer_new(q->flow->event, 0, on_timer, q, &q->timer);
    if (r >= 0)
        r = timer_arm_in(q->timer, wait_usec);
    if (r < 0)
        q->flow->callbacks.on_broken(r, q->flow->userdata);
}

static void stop_timer(Request *q) {
    q->timer = sd_event_source_disable_unref(q->timer);
}

/* Not armed while there is no connection; opening one sends everything once. */
static void start_resend_timer(Request *q, bool is_resend) {
    RequestFlow *f = q->flow;

    if (connection_get_state(f->connection) != CONNECTION_OPEN)
        return;
    /* while the send queue is congested the agent reads no ACKs: that is not the manager's
     * failure */
    if (connection_is_congested(f->connection))
        q->resend_usec = MAX(q->resend_usec, f->options.retransmission_usec);
    else
        q->resend_usec = is_resend ? MIN(q->resend_usec * 2, (uint64_t)RESEND_MAX_USEC)
                                   : f->options.retransmission_usec;
    arm_timer(q, q->resend_usec);
}

static void begin_execution(RequestFlow *f, Request *q) {
    int r;

    if (long_jobs_begin(f->long_jobs, q->task.guid))
        return;
    if (q->state == REQUEST_STATE_REPLY) { /* answered at once */
        request_log_started(&f->log, q);
        return;
    }
    r = runner_add(f->runner, &q->task);
    if (r < 0)
        f->callbacks.on_broken(r, f->userdata);
}

/* The reply is in the store. */
static void perform_finished(RequestFlow *f, Request *q) {
    int return_code = json_object_get_int(json_get(q->reply, "return_code"));

    request_log_replied(q, return_code);
    if (!long_jobs_has(f->long_jobs, q->task.guid)) /* otherwise it has a number, and continues */
        request_log_result(&f->log, q, return_code);
    stop_timer(q);
    runner_forget(f->runner, &q->task);
}

static void perform_stored(RequestFlow *f, const BatchEntry *e) {
    Request *q = e->request;

    if (e->inserted)
        free(TAKE_PTR(q->payload));
    if (e->event == REQUEST_EVENT_ACCEPT)
        begin_execution(f, q);
    else if (e->event == REQUEST_EVENT_FINISHED)
        perform_finished(f, q);
}

static void perform(const BatchEntry *e, void *userdata) {
    RequestFlow *f = userdata;
    Request *q = e->request;

    request_log_transition(e);
    if (e->actions & REQUEST_ACTION_SEND_ACK)
        sender_ack(f->sender, q);
    if (e->actions & REQUEST_ACTION_SEND_NACK)
        sender_nack(f->sender, q->task.guid, q->error_message);
    if (e->actions & REQUEST_ACTION_STORE)
        perform_stored(f, e);
    if (e->actions & REQUEST_ACTION_SEND_REPLY)
        sender_reply(f->sender, q, false);
    if (e->actions & REQUEST_ACTION_RESEND_REPLY && !connection_is_congested(f->connection))
        sender_reply(f->sender, q, true);
    if (e->actions & REQUEST_ACTION_SEND_STATUS)
        sender_status(f->sender, q);
    if (e->actions & REQUEST_ACTION_CANCEL_JOB)
        runner_cancel(f->runner, &q->task);
    if (e->actions & REQUEST_ACTION_START_TIMER)
        start_resend_timer(q, e->event == REQUEST_EVENT_TIMEOUT);
    if (e->actions & REQUEST_ACTION_STOP_TIMER)
        stop_timer(q);
    if (e->from != e->next)
        changed(f, q, e->next);
    if (e->event == REQUEST_EVENT_FINISHED && q->state == REQUEST_STATE_REPLY_NACKED)
        runner_forget(f->runner, &q->task); /* the manager gave the reply up */
    if (e->event == REQUEST_EVENT_FINISHED)
        (void)json_object_put(TAKE_PTR(q->reply)); /* from now on the store has it */
    forget_if_final(q);
}

static void undo(const BatchEntry *e, int error, void *userdata) {
    RequestFlow *f = userdata;
    Request *q = e->request;
    char text[ERROR_MESSAGE_MAX];

    if (e->event == REQUEST_EVENT_ACCEPT)
        long_jobs_abandon(f->long_jobs, q->task.guid);
    if (e->event == REQUEST_EVENT_FINISHED && q->is_stored)
        arm_timer(q, STORE_RETRY_USEC);
    else if (q->state == REQUEST_STATE_REPLY && !timer_is_armed(q->timer))
        /* the manager has the reply, but this change may still be lost */
        start_resend_timer(q, false);
    else if (!q->is_stored && q->n_pending == 0 &&
             (e->event == REQUEST_EVENT_ACCEPT || e->event == REQUEST_EVENT_REJECT)) {
        /* temporary: the manager may send the same GUID again */
        (void)utf8_format(text, sizeof(text), "The agent cannot store the request: %s",
                          strerror(-error));
        sender_nack(f->sender, q->task.guid, text);
        request_table_remove(f->requests, q);
    }
}

static void on_finished(JobEnd end, struct json_object *reply, void *userdata) {
    Request *q = userdata;

    q->reply = reply;
    request_log_ended(q, end);
    request_flow_fire(q, REQUEST_EVENT_FINISHED);
}

static void on_started(void *userdata) {
    Request *q = userdata;

    request_log_started(&q->flow->log, q);
}

static void on_unknown_argument(const char *name, void *userdata) {
    const Request *q = userdata;

    request_log_unknown_argument(&q->flow->log, q, name);
}

static int load_payload(char **ret, void *userdata) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    const Request *q = userdata;
    int r;

    r = store_load_request(q->flow->store, q->task.guid, true, &row);
    if (r >= 0)
        *ret = TAKE_PTR(row.payload);
    return r;
}

int request_flow_add(RequestFlow *f, Request **q) {
    static const TaskCallbacks callbacks = {
        .on_finished = on_finished,
        .on_started = on_started,
        .on_unknown_argument = on_unknown_argument,
        .load_payload = load_payload,
    };
    int r;

    (*q)->flow = f;
    (*q)->task.callbacks = &callbacks;
    (*q)->task.userdata = *q;
    r = request_table_add(f->requests, *q);
    if (r >= 0)
        *q = NULL;
    return r;
}

/* 0 and NULL: the GUID is unknown. */
int request_flow_find(RequestFlow *f, const char *guid, Request **ret) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    _cleanup_(request_freep) Request *q = NULL;
    int r;

    *ret = request_table_find(f->requests, guid);
    if (*ret)
        return 0;
    r = store_load_request(f->store, guid, false, &row);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    TRY(request_new_from_row(&row, &q));
    *ret = q;
    r = request_flow_add(f, &q);
    if (r < 0)
        *ret = NULL;
    return r;
}

static void count_working(Request *q, void *userdata) {
    unsigned *n = userdata;

    *n += !is_final(q->state) && q->state != REQUEST_STATE_REPLY;
}

unsigned request_flow_count_working(const RequestFlow *f) {
    unsigned n = 0;

    request_table_visit(f->requests, count_working, &n);
    return n;
}

bool request_flow_cancel_long(RequestFlow *f, const char *guid) {
    return long_jobs_cancel(f->long_jobs, guid);
}

void request_flow_set_paused(RequestFlow *f, bool paused, const char *told) {
    sender_set_pause(f->sender, told);
    runner_set_paused(f->runner, paused);
    runner_set_paused(long_jobs_get_runner(f->long_jobs), paused);
}

void request_flow_nack(RequestFlow *f, const char *request_id, const char *error_message) {
    sender_nack(f->sender, request_id, error_message);
}

static void send_reply_once(Request *q, void *userdata) {
    if (q->state != REQUEST_STATE_REPLY || q->n_pending > 0)
        return;
    sender_reply(q->flow->sender, q, true);
    start_resend_timer(q, false);
}

/* Does not send replies of requests under other agent ids to this manager; their GUIDs stay
 * known. */
static void drop_foreign(Request *q, void *userdata) {
    RequestFlow *f = userdata;

    if (streq_ptr(q->agent_id, f->agent_id))
        return;
    if (q->state == REQUEST_STATE_REPLY || q->state == REQUEST_STATE_ACKED) { /* stored already */
        request_enter(q, request_transition(q->state, REQUEST_EVENT_NACK).next);
        if (!q->reply) /* otherwise the timer retries to store it */
            stop_timer(q);
        changed(f, q, q->state);
        forget_if_final(q);
    }
}

static int store_agent_id(RequestFlow *f, const char *agent_id, bool is_change) {
    int r;

    (void)batch_commit(f->batch);
    r = store_begin(f->store);
    if (r >= 0)
        r = store_set_meta(f->store, STORE_META_AGENT_ID, agent_id);
    if (r >= 0 && is_change)
        r = store_drop_foreign_replies(f->store, agent_id);
    return store_finish(f->store, r);
}

static void set_agent_id(RequestFlow *f, const char *agent_id) {
    bool is_change = f->agent_id;
    int r;

    if (!agent_id || streq_ptr(agent_id, f->agent_id))
        return;
    if (is_change)
        (void)log_struct(LOG_NOTICE, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_AGENT_ID_CHANGED), LOG_AGENT_ID(agent_id)),
                         "The agent id changes from %s to %s; unsent replies are discarded",
                         f->agent_id, agent_id);
    r = store_agent_id(f, agent_id, is_change);
    if (r >= 0)
        r = free_and_strdup(&f->agent_id, agent_id);
    if (r < 0) {
        (void)log_error_errno(r, "The agent id cannot be stored: %m");
        return;
    }
    sender_set_agent_id(f->sender, f->agent_id);
    if (is_change)
        request_table_visit(f->requests, drop_foreign, f);
}

void request_flow_opened(RequestFlow *f, const char *agent_id, const char *customer_id) {
    (void)long_jobs_set_customer(f->long_jobs, customer_id);
    set_agent_id(f, agent_id);
    console_flush(f->console);
    request_table_visit(f->requests, send_reply_once, f);
}

static void stop_resending(Request *q, void *userdata) {
    if (!q->reply)
        stop_timer(q);
}

void request_flow_closed(RequestFlow *f) {
    request_table_visit(f->requests, stop_resending, f);
}

int request_flow_commit(RequestFlow *f) {
    return batch_commit(f->batch);
}

void request_flow_configure(RequestFlow *f, const RequestFlowOptions *options) {
    f->options = *options;
    runner_configure(f->runner, options->workers, &options->jobs);
    runner_configure(long_jobs_get_runner(f->long_jobs), options->long_workers, &options->jobs);
}

int request_flow_set_bus(RequestFlow *f, sd_bus *bus) {
    TRY(runner_set_bus(f->runner, bus));
    return runner_set_bus(long_jobs_get_runner(f->long_jobs), bus);
}

const char *request_flow_get_agent_id(const RequestFlow *f) {
    return f->agent_id;
}

void request_flow_get_runners(const RequestFlow *f, Runner *ret[static 2]) {
    ret[0] = f->runner;
    ret[1] = long_jobs_get_runner(f->long_jobs);
}

const RequestTable *request_flow_get_requests(const RequestFlow *f) {
    return f->requests;
}

static int take_up(const StoredRequest *row, void *userdata) {
    RequestFlow *f = userdata;
    _cleanup_(request_freep) Request *q = NULL;
    Request *added;
    int r;

    TRY(request_new_from_row(row, &q));
    added = q;
    r = request_flow_add(f, &q);
    if (r < 0 || added->state != REQUEST_STATE_ACKED)
        return r;
    added->task.definition = command_ref(command_find(added->task.command));
    /* a long runner whose first reply was not stored together with it */
    r = job_describe_guid(f->store, added->task.guid, &added->reply);
    if (r == -ENOENT)
        return runner_add(f->runner, &added->task);
    if (r >= 0)
        arm_timer(added, 0);
    return r;
}

static int commit_for_job(void *userdata) {
    RequestFlow *f = userdata;

    return batch_commit(f->batch);
}

static void on_store(int error, void *userdata) {
    RequestFlow *f = userdata;

    f->callbacks.on_store(error, f->userdata);
}

static void on_long_broken(int error, void *userdata) {
    RequestFlow *f = userdata;

    f->callbacks.on_broken(error, f->userdata);
}

static int setup(RequestFlow *f, const RequestFlowParts *p) {
    static const BatchCallbacks batch_callbacks = {
        .perform = perform,
        .undo = undo,
        .on_store = on_store,
    };
    static const LongJobsCallbacks long_callbacks = {
        .commit = commit_for_job,
        .on_broken = on_long_broken,
    };

    TRY(request_table_new(&f->requests));
    TRY(sender_new(f->connection, f->store, &f->sender));
    TRY(batch_new(f->event, f->store, &batch_callbacks, f, &f->batch));
    TRY(runner_new(f->event, &p->runner, &f->runner));
    TRY(long_jobs_new(f->event, &p->runner, f->console, &long_callbacks, f, &f->long_jobs));
    TRY(free_and_strdup(&f->agent_id, p->agent_id));
    sender_set_agent_id(f->sender, f->agent_id);
    return store_visit_open(f->store, take_up, f);
}

int request_flow_new(sd_event *event, const RequestFlowParts *parts,
                     const RequestFlowCallbacks *callbacks, void *userdata, RequestFlow **ret) {
    _cleanup_(request_flow_freep) RequestFlow *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->event = event;
    f->store = parts->runner.store;
    f->connection = parts->connection;
    f->console = parts->console;
    f->callbacks = *callbacks;
    request_log_init(&f->log, parts->console);
    f->userdata = userdata;
    TRY(setup(f, parts));
    *ret = TAKE_PTR(f);
    return 0;
}

RequestFlow *request_flow_free(RequestFlow *f) {
    if (!f)
        return NULL;
    if (f->batch)
        (void)batch_commit(f->batch);
    runner_free(f->runner);
    long_jobs_free(f->long_jobs);
    request_table_free(f->requests);
    batch_free(f->batch);
    sender_free(f->sender);
    free(f->agent_id);
    free(f);
    return NULL;
}
