/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   message ─▶ event ─▶ fire() ─▶ transition ─┬─ no store ─▶ perform()
 *                                             └─ store ─▶ batch ─▶ commit ─┬─▶ perform() for each
 *                                                                          └─▶ undo() for each
 *
 * Invariants: an ACK or a REPLY leaves only after the commit that it promises; a job starts only
 * after its ACK's commit; a request whose reply could not be stored stays ACKED, keeps the reply in
 * memory and tries again.
 */
#include "core/dispatcher.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/guid.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "core/batch.h"
#include "core/command.h"
#include "core/sender.h"
#include "proto/message.h"

#define META_AGENT_ID "agent_id"
#define STORE_RETRY_USEC (5 * USEC_PER_SEC)
#define RESEND_MAX_USEC (300 * USEC_PER_SEC)
#define OPEN_STATES ((1u << REQUEST_STATE_ACKED) | (1u << REQUEST_STATE_REPLY))

struct Dispatcher {
    sd_event *event;
    Store *store;
    Connection *connection;
    Console *console;
    Batch *batch;
    Sender *sender;
    Runner *runner;
    RequestTable *requests;
    DispatcherOptions options;
    DispatcherCallbacks callbacks;
    void *userdata;
    char *agent_id;
};

#define FIELDS(q) LOG_FIELDS(LOG_REQUEST((q)->guid), LOG_COMMAND((q)->command))

static bool is_final(RequestState state) {
    return !((1u << state) & OPEN_STATES) && state != REQUEST_STATE_REQUESTING &&
           state != REQUEST_STATE_CANCEL_RECEIVED_REQUESTING;
}

static void changed(Dispatcher *d, const Request *q) {
    d->callbacks.on_changed(q, d->userdata);
}

/* Requests in a final state live in the store alone. */
static void forget_if_final(Request *q) {
    if (is_final(q->state) && q->n_pending == 0 && !q->execution)
        request_table_remove(q->dispatcher->requests, q);
}

static void fire(Request *q, RequestEvent event) {
    RequestTransition t = request_transition(q->state, event);

    if (t.next == q->state && t.actions == 0) {
        (void)log_struct(LOG_DEBUG, 0, FIELDS(q), "Event %d in state %s is ignored", event,
                         request_state_to_string(q->state));
        forget_if_final(q);
        return;
    }
    batch_add(q->dispatcher->batch, q, event, &t);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Request *q = userdata;

    if (q->reply)
        fire(q, REQUEST_EVENT_FINISHED);
    else
        fire(q, REQUEST_EVENT_TIMEOUT);
    return 0;
}

static void arm_timer(Request *q, uint64_t wait_usec) {
    int r;

    if (!q->timer)
        r = sd_event_add_time_relative(q->dispatcher->event, &q->timer, CLOCK_BOOTTIME, wait_usec,
                                       0, on_timer, q);
    else {
        r = sd_event_source_set_time_relative(q->timer, wait_usec);
        if (r >= 0)
            r = sd_event_source_set_enabled(q->timer, SD_EVENT_ONESHOT);
    }
    if (r < 0)
        (void)log_warning_errno(r, "A timer cannot be set: %m");
}

static void stop_timer(Request *q) {
    q->timer = sd_event_source_disable_unref(q->timer);
}

/* Does not run while there is no connection; opening it sends everything once. */
static void start_resend_timer(Request *q, bool is_resend) {
    Dispatcher *d = q->dispatcher;

    if (connection_get_state(d->connection) != CONNECTION_OPEN)
        return;
    q->resend_usec = is_resend ? MIN(q->resend_usec * 2, (uint64_t)RESEND_MAX_USEC)
                               : d->options.retransmission_usec;
    arm_timer(q, q->resend_usec);
}

static void begin_execution(Dispatcher *d, Request *q) {
    int r;

    r = runner_add(d->runner, q);
    if (r < 0)
        (void)log_struct(LOG_ERR, r, FIELDS(q), "The request waits for a restart of the agent: %m");
}

static void log_transition(const BatchEntry *e) {
    const Request *q = e->request;

    if (e->event == REQUEST_EVENT_ACCEPT)
        (void)log_struct(LOG_INFO, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_ACCEPTED), LOG_REQUEST(q->guid),
                                    LOG_COMMAND(q->command), LOG_STATE("ACKED")),
                         "Accepted request %s: %s", q->guid, q->command);
    else if (e->event == REQUEST_EVENT_REJECT)
        (void)log_struct(LOG_WARNING, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_REFUSED), LOG_REQUEST(q->guid),
                                    LOG_COMMAND(q->command), LOG_STATE("NACKED")),
                         "Refused request %s: %s", q->guid, q->error_message);
    else if (e->event == REQUEST_EVENT_ACK && q->state == REQUEST_STATE_REPLY_ACKED)
        (void)log_struct(LOG_INFO, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_ACKNOWLEDGED), LOG_REQUEST(q->guid),
                                    LOG_COMMAND(q->command), LOG_STATE("REPLY_ACKED")),
                         "The manager has the reply to %s", q->guid);
    if (e->actions & REQUEST_ACTION_DROP_REPLY)
        (void)log_struct(LOG_NOTICE, 0, FIELDS(q), "The manager gave up %s; its reply is dropped",
                         q->guid);
}

/* The reply is in the store. */
static void perform_finished(Dispatcher *d, Request *q) {
    int return_code = json_object_get_int(json_get(q->reply, "return_code"));
    char code[16];

    (void)snprintf(code, sizeof(code), "%d", return_code);
    (void)log_struct(LOG_INFO, 0,
                     LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_REPLIED), LOG_REQUEST(q->guid),
                                LOG_COMMAND(q->command), LOG_STATE("REPLY"), LOG_RETURN_CODE(code)),
                     "The reply to %s is stored: %s ended with %d", q->guid, q->command,
                     return_code);
    if (return_code == 0)
        console_log(d->console, LOG_INFO, "The job %s with request_id %s has succeeded.",
                    q->command, q->guid);
    else
        console_log(d->console, LOG_ERR,
                    "The job %s with request_id %s has failed with return code %d.", q->command,
                    q->guid, return_code);
    (void)json_object_put(TAKE_PTR(q->reply));
    stop_timer(q);
    runner_forget(d->runner, q);
}

static void perform_stored(Dispatcher *d, const BatchEntry *e) {
    Request *q = e->request;

    if (!q->is_stored) {
        q->is_stored = true;
        free(TAKE_PTR(q->payload));
    }
    if (e->event == REQUEST_EVENT_ACCEPT)
        begin_execution(d, q);
    else if (e->event == REQUEST_EVENT_FINISHED)
        perform_finished(d, q);
}

static void perform(const BatchEntry *e, void *userdata) {
    Dispatcher *d = userdata;
    Request *q = e->request;

    log_transition(e);
    if (e->actions & REQUEST_ACTION_SEND_ACK)
        sender_ack(d->sender, q);
    if (e->actions & REQUEST_ACTION_SEND_NACK)
        sender_nack(d->sender, q->guid, q->error_message);
    if (e->actions & REQUEST_ACTION_STORE)
        perform_stored(d, e);
    if (e->actions & REQUEST_ACTION_SEND_REPLY)
        sender_reply(d->sender, q, false);
    if (e->actions & REQUEST_ACTION_RESEND_REPLY)
        sender_reply(d->sender, q, true);
    if (e->actions & REQUEST_ACTION_SEND_STATUS)
        sender_status(d->sender, q);
    if (e->actions & REQUEST_ACTION_CANCEL_JOB)
        runner_cancel(d->runner, q);
    if (e->actions & REQUEST_ACTION_START_TIMER)
        start_resend_timer(q, e->event == REQUEST_EVENT_TIMEOUT);
    if (e->actions & REQUEST_ACTION_STOP_TIMER)
        stop_timer(q);
    if (e->from != q->state || e->event == REQUEST_EVENT_ACCEPT)
        changed(d, q);
    if (e->event == REQUEST_EVENT_FINISHED && q->state == REQUEST_STATE_REPLY_NACKED)
        runner_forget(d->runner, q); /* nobody wants the reply */
    forget_if_final(q);
}

static void undo(const BatchEntry *e, int error, void *userdata) {
    Dispatcher *d = userdata;
    Request *q = e->request;
    char text[ERROR_MESSAGE_MAX];

    if (e->event == REQUEST_EVENT_FINISHED)
        arm_timer(q, STORE_RETRY_USEC);
    else if (!q->is_stored && q->n_pending == 0 &&
             (e->event == REQUEST_EVENT_ACCEPT || e->event == REQUEST_EVENT_REJECT)) {
        /* a passing reason: the same GUID may be sent again */
        (void)snprintf(text, sizeof(text), "The agent cannot store the request: %s",
                       strerror(-error));
        sender_nack(d->sender, q->guid, text);
        request_table_remove(d->requests, q);
    }
}

static void on_finished(Request *q, JobEnd end, struct json_object *reply, void *userdata) {
    q->reply = reply;
    if (end == JOB_END_LOST)
        (void)log_struct(
            LOG_ERR, 0,
            LOG_FIELDS(LOG_ID(DCM_MESSAGE_JOB_LOST), LOG_REQUEST(q->guid), LOG_COMMAND(q->command)),
            "The job of %s was cut off; its result is lost", q->guid);
    else if (end == JOB_END_DONE)
        (void)log_struct(LOG_INFO, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_JOB_ENDED), LOG_REQUEST(q->guid),
                                    LOG_COMMAND(q->command)),
                         "%s of %s has ended", q->command, q->guid);
    fire(q, REQUEST_EVENT_FINISHED);
}

static void on_started(Request *q, void *userdata) {
    Dispatcher *d = userdata;

    console_log(d->console, LOG_INFO, "The job %s has started with request_id %s.", q->command,
                q->guid);
}

static void on_unknown_argument(Request *q, const char *name, void *userdata) {
    Dispatcher *d = userdata;

    (void)log_struct(LOG_WARNING, 0, FIELDS(q), "%s: the argument '%.64s' is not known and ignored",
                     q->command, name);
    console_log(d->console, LOG_WARNING,
                "The command %s with request_id %s ignores the unknown parameter %.64s.",
                q->command, q->guid, name);
}

static int add_request(Dispatcher *d, Request **q) {
    int r;

    (*q)->dispatcher = d;
    r = request_table_add(d->requests, *q);
    if (r >= 0)
        *q = NULL;
    return r;
}

/* 0 and NULL: the GUID was never seen. */
static int find_request(Dispatcher *d, const char *guid, Request **ret) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    _cleanup_(request_freep) Request *q = NULL;
    int r;

    *ret = request_table_find(d->requests, guid);
    if (*ret)
        return 0;
    r = store_load_request(d->store, guid, false, &row);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = request_new_from_row(&row, &q);
    if (r < 0)
        return r;
    *ret = q;
    r = add_request(d, &q);
    if (r < 0)
        *ret = NULL;
    return r;
}

static void count_working(Request *q, void *userdata) {
    unsigned *n = userdata;

    *n += !is_final(q->state) && q->state != REQUEST_STATE_REPLY;
}

/* A reason that may pass; it is not stored. */
static bool is_overloaded(Dispatcher *d, char *text, size_t size) {
    unsigned n = 0;

    if (request_table_size(d->requests) >= REQUESTS_OPEN_MAX) {
        (void)snprintf(text, size, "The agent has %u open requests; it can hold no more",
                       REQUESTS_OPEN_MAX);
        return true;
    }
    if (d->options.max_at_once < 0)
        return false;
    request_table_visit(d->requests, count_working, &n);
    if (n < (uint64_t)d->options.max_at_once)
        return false;
    (void)snprintf(text, size, "The agent can only handle %" PRId64 " commands at once",
                   d->options.max_at_once);
    return true;
}

/* What is wrong with the request itself; NULL: nothing. */
static const char *check_payload(struct json_object *payload) {
    struct json_object *arguments = json_get(payload, "arguments");
    const char *command = json_get_string(payload, "command");

    if (!json_object_is_type(payload, json_type_object))
        return "The request has no payload";
    if (!command)
        return "The payload names no command";
    if (arguments && !json_object_is_type(arguments, json_type_object))
        return "The arguments are not an object";
    return command_find(command) ? NULL : "The command is not known to this agent";
}

static int make_request(Dispatcher *d, const Message *m, const char *payload, const char *hash,
                        Request **ret) {
    _cleanup_(request_freep) Request *q = NULL;
    const char *command = json_get_string(json_get(m->json, "payload"), "command"), *error;
    int r;

    r = request_new(m->request_id, command && strlen(command) < 128 ? command : "?", &q);
    if (r < 0)
        return r;
    memcpy(q->payload_sha256, hash, SHA256_HEX_SIZE);
    error = check_payload(json_get(m->json, "payload"));
    r = error ? free_and_strdup(&q->error_message, error) : free_and_strdup(&q->payload, payload);
    if (r >= 0)
        r = free_and_strdup(&q->agent_id, d->agent_id);
    if (r < 0)
        return r;
    *ret = q;
    r = add_request(d, &q);
    return r;
}

static void accept_request(Dispatcher *d, const Message *m, const char *payload, const char *hash) {
    char text[ERROR_MESSAGE_MAX];
    Request *q = NULL;
    int r;

    if (is_overloaded(d, text, sizeof(text))) {
        (void)log_struct(
            LOG_WARNING, 0,
            LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_REFUSED), LOG_REQUEST(m->request_id)),
            "Refused request %s: %s", m->request_id, text);
        console_log(d->console, LOG_CRIT, "The agent is overloaded. %s.", text);
        sender_nack(d->sender, m->request_id, text);
        return;
    }
    r = make_request(d, m, payload, hash, &q);
    if (r < 0) {
        sender_nack(d->sender, m->request_id, strerror(-r));
        return;
    }
    console_log(d->console, LOG_DEBUG, "Incoming command %s with request_id %s.", q->command,
                q->guid);
    fire(q, q->error_message ? REQUEST_EVENT_REJECT : REQUEST_EVENT_ACCEPT);
}

static void on_request(Dispatcher *d, const Message *m) {
    _cleanup_free_ char *payload = NULL;
    char hash[SHA256_HEX_SIZE];
    Request *q = NULL;
    size_t size = 0;
    int r;

    r = json_encode(json_get(m->json, "payload"), &payload, &size);
    if (r >= 0)
        r = find_request(d, m->request_id, &q);
    if (r < 0) { /* whether it was done before is not known, so it must not be accepted */
        sender_nack(d->sender, m->request_id, strerror(-r));
        return;
    }
    sha256_hex(payload, size, hash);
    if (!q) {
        accept_request(d, m, payload, hash);
        return;
    }
    if (!streq(hash, q->payload_sha256))
        (void)log_struct(LOG_WARNING, 0, FIELDS(q),
                         "Request %s came again with another payload; the first one counts",
                         q->guid);
    fire(q, REQUEST_EVENT_REQUEST);
}

static void on_other(Dispatcher *d, const Message *m, RequestEvent event) {
    char text[ERROR_MESSAGE_MAX];
    Request *q = NULL;
    int r;

    r = find_request(d, m->request_id, &q);
    if (r < 0) {
        (void)log_struct(LOG_WARNING, r, LOG_FIELDS(LOG_REQUEST(m->request_id)),
                         "%s for %s cannot be handled: %m", message_type_to_string(m->type),
                         m->request_id);
        return;
    }
    if (q) {
        fire(q, event);
        return;
    }
    (void)snprintf(text, sizeof(text), "%.256s is an unknown ID", m->request_id);
    console_log(d->console, LOG_ERR, "There is no job with request_id %.256s.", m->request_id);
    sender_nack(d->sender, m->request_id, text);
}

static void refuse_message(Dispatcher *d, const char *request_id, const char *text) {
    (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_REQUEST(request_id)),
                     "A message of the manager is refused: %s", text);
    console_log(d->console, LOG_ERR, "A message cannot be handled: %s.", text);
    sender_nack(d->sender, request_id, text);
}

static void on_message(Dispatcher *d, const Message *m) {
    switch (m->type) {
    case MESSAGE_REQUEST:
        on_request(d, m);
        break;
    case MESSAGE_ACK:
        on_other(d, m, REQUEST_EVENT_ACK);
        break;
    case MESSAGE_NACK:
        on_other(d, m, REQUEST_EVENT_NACK);
        break;
    case MESSAGE_CANCEL:
        on_other(d, m, REQUEST_EVENT_CANCEL);
        break;
    case MESSAGE_STATUS:
        on_other(d, m, REQUEST_EVENT_STATUS);
        break;
    case MESSAGE_HEMLOCK:
        d->callbacks.on_hemlock(d->userdata);
        break;
    default:
        refuse_message(d, m->request_id, "A manager does not send messages of this type");
    }
}

void dispatcher_message(Dispatcher *d, const char *text, size_t size, bool is_text) {
    _cleanup_(message_done) Message m = {};
    const char *error = NULL;
    int r;

    if (!is_text) {
        refuse_message(d, NULL, "The message is binary");
        return;
    }
    r = message_parse(text, size, &m, &error);
    if (r < 0)
        refuse_message(d, m.request_id, error);
    else
        on_message(d, &m);
}

static void send_reply_once(Request *q, void *userdata) {
    if (q->state != REQUEST_STATE_REPLY || q->n_pending > 0)
        return;
    sender_reply(q->dispatcher->sender, q, true);
    start_resend_timer(q, false);
}

/* Other servers' replies are not sent to this manager; what they executed stays known. */
static void drop_foreign(Request *q, void *userdata) {
    Dispatcher *d = userdata;

    if (streq_ptr(q->agent_id, d->agent_id))
        return;
    if (q->state == REQUEST_STATE_REPLY || q->state == REQUEST_STATE_ACKED) {
        q->state = REQUEST_STATE_REPLY_NACKED;
        stop_timer(q);
        changed(d, q);
        forget_if_final(q);
    }
}

static int store_agent_id(Dispatcher *d, const char *agent_id, bool is_change) {
    int r;

    batch_commit(d->batch);
    r = store_begin(d->store);
    if (r >= 0)
        r = store_set_meta(d->store, META_AGENT_ID, agent_id);
    if (r >= 0 && is_change)
        r = store_drop_foreign_replies(d->store, agent_id);
    if (r >= 0)
        r = store_commit(d->store);
    if (r < 0)
        store_rollback(d->store);
    return r;
}

static void set_agent_id(Dispatcher *d, const char *agent_id) {
    bool is_change = d->agent_id;
    int r;

    if (!agent_id || streq_ptr(agent_id, d->agent_id))
        return;
    if (is_change)
        (void)log_struct(LOG_NOTICE, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_AGENT_ID_CHANGED), LOG_AGENT_ID(agent_id)),
                         "The agent id changes from %s to %s; unsent replies are dropped",
                         d->agent_id, agent_id);
    r = store_agent_id(d, agent_id, is_change);
    if (r >= 0)
        r = free_and_strdup(&d->agent_id, agent_id);
    if (r < 0) {
        (void)log_error_errno(r, "The agent id cannot be stored: %m");
        return;
    }
    sender_set_agent_id(d->sender, d->agent_id);
    if (is_change)
        request_table_visit(d->requests, drop_foreign, d);
}

void dispatcher_opened(Dispatcher *d, const char *agent_id) {
    set_agent_id(d, agent_id);
    console_flush(d->console);
    request_table_visit(d->requests, send_reply_once, d);
}

static void stop_resending(Request *q, void *userdata) {
    if (!q->reply)
        stop_timer(q);
}

void dispatcher_closed(Dispatcher *d) {
    request_table_visit(d->requests, stop_resending, d);
}

void dispatcher_configure(Dispatcher *d, const DispatcherOptions *options) {
    d->options = *options;
    runner_set_workers(d->runner, options->workers);
}

int dispatcher_set_bus(Dispatcher *d, sd_bus *bus) {
    return runner_set_bus(d->runner, bus);
}

const char *dispatcher_get_agent_id(const Dispatcher *d) {
    return d->agent_id;
}

const RequestTable *dispatcher_get_requests(const Dispatcher *d) {
    return d->requests;
}

static int take_up(const StoredRequest *row, void *userdata) {
    Dispatcher *d = userdata;
    _cleanup_(request_freep) Request *q = NULL;
    Request *added;
    int r;

    r = request_new_from_row(row, &q);
    if (r < 0)
        return r;
    added = q;
    r = add_request(d, &q);
    if (r >= 0 && added->state == REQUEST_STATE_ACKED)
        r = runner_add(d->runner, added);
    return r;
}

static int setup(Dispatcher *d, const char *jobs_root) {
    static const BatchCallbacks batch_callbacks = {.perform = perform, .undo = undo};
    static const RunnerCallbacks runner_callbacks = {
        .on_finished = on_finished,
        .on_started = on_started,
        .on_unknown_argument = on_unknown_argument,
    };
    int r;

    r = request_table_new(&d->requests);
    if (r >= 0)
        r = sender_new(d->connection, d->store, &d->sender);
    if (r >= 0)
        r = batch_new(d->event, d->store, &batch_callbacks, d, &d->batch);
    if (r >= 0)
        r = runner_new(d->event, d->store, jobs_root, &runner_callbacks, d, &d->runner);
    if (r >= 0)
        r = store_get_meta(d->store, META_AGENT_ID, &d->agent_id);
    if (r < 0)
        return r;
    sender_set_agent_id(d->sender, d->agent_id);
    return store_visit_requests(d->store, OPEN_STATES, UINT32_MAX, take_up, d);
}

int dispatcher_new(sd_event *event, Store *store, Connection *connection, Console *console,
                   const char *jobs_root, const DispatcherCallbacks *callbacks, void *userdata,
                   Dispatcher **ret) {
    _cleanup_(dispatcher_freep) Dispatcher *d = calloc(1, sizeof(*d));
    int r;

    if (!d)
        return -ENOMEM;
    d->event = event;
    d->store = store;
    d->connection = connection;
    d->console = console;
    d->callbacks = *callbacks;
    d->userdata = userdata;
    r = setup(d, jobs_root);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(d);
    return 0;
}

Dispatcher *dispatcher_free(Dispatcher *d) {
    if (!d)
        return NULL;
    if (d->batch)
        batch_commit(d->batch);
    runner_free(d->runner);
    request_table_free(d->requests);
    batch_free(d->batch);
    sender_free(d->sender);
    free(d->agent_id);
    free(d);
    return NULL;
}
