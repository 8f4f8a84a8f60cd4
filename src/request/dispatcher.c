/* SPDX-License-Identifier: Apache-2.0 */
/* No message of a manager closes the connection or stops the agent. A permanent refusal is the
 * event REJECT, which is stored; a temporary one is a NACK alone, so that the manager may send the
 * same GUID again. */
#include "request/dispatcher.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/ratelimit.h"
#include "commands/command-list.h"
#include "proto/message.h"
#include "proto/text.h"

#define REFUSALS_INTERVAL_USEC (10 * USEC_PER_SEC)
#define REFUSALS_BURST 50u

struct Dispatcher {
    RequestFlow *flow;
    Console *console;
    Alerts *alerts;
    int64_t max_at_once;
    bool refusing;
    RateLimit refusals; /* limits log entries */
    void (*on_hemlock)(void *userdata);
    void *userdata;
    DispatcherFarewell on_farewell; /* may be NULL */
    void *farewell_userdata;
};

/* Makes the reason of a temporary refusal, which is not stored. */
static bool is_overloaded(Dispatcher *d, const Command *c, char *text, size_t size) {
    if (d->refusing && c && c->prepare) {
        (void)snprintf(text, size, "The owner of this server has paused it");
        return true;
    }
    if (request_table_size(request_flow_get_requests(d->flow)) >= REQUESTS_OPEN_MAX) {
        (void)snprintf(text, size, "The agent has %u open requests; it can hold no more",
                       REQUESTS_OPEN_MAX);
        return true;
    }
    if (d->max_at_once < 0 || request_flow_count_working(d->flow) < (uint64_t)d->max_at_once)
        return false;
    (void)snprintf(text, size, "The agent can only handle %" PRId64 " commands at once",
                   d->max_at_once);
    return true;
}

/* Returns the fault of the request itself, or NULL. */
static const char *check_payload(struct json_object *payload, const Command *c, char *buf,
                                 size_t size) {
    struct json_object *arguments = json_get(payload, "arguments");
    const char *command = json_get_string(payload, "command");

    if (!json_object_is_type(payload, json_type_object))
        return "The request has no payload";
    if (!command)
        return "The payload names no command";
    if (arguments && !json_object_is_type(arguments, json_type_object))
        return "The arguments are not an object";
    if (c)
        return NULL;
    (void)utf8_format(buf, size, "The command %.*s is not known to this agent",
                      UTF8_SHORT(command, COMMAND_NAME_MAX));
    return buf;
}

static int make_request(Dispatcher *d, const Message *m, const Command *c, char **payload,
                        const char *hash, Request **ret) {
    _cleanup_(request_freep) Request *q = NULL;
    const char *command = json_get_string(json_get(m->json, "payload"), "command"), *error;
    char buf[ERROR_MESSAGE_MAX];
    int r;

    TRY(request_new(m->request_id, command && strlen(command) <= COMMAND_NAME_MAX ? command : "?",
                    &q));
    q->task.definition = command_ref(c);
    memcpy(q->payload_sha256, hash, SHA256_HEX_SIZE);
    error = check_payload(json_get(m->json, "payload"), c, buf, sizeof(buf));
    r = error ? free_and_strdup(&q->error_message, error) : 0;
    if (!error)
        q->payload = TAKE_PTR(*payload);
    if (r >= 0)
        r = free_and_strdup(&q->agent_id, request_flow_get_agent_id(d->flow));
    if (r < 0)
        return r;
    *ret = q;
    return request_flow_add(d->flow, &q);
}

/* Limits entries: a flood of messages must not flood the journal. */
static bool is_worth_a_line(Dispatcher *d) {
    unsigned missed;

    if (!ratelimit_below(&d->refusals, &missed))
        return false;
    if (missed > 0)
        log_warning("%u more refused messages are not logged", missed);
    return true;
}

static void say_overloaded(Dispatcher *d, const char *guid, const char *text) {
    if (!is_worth_a_line(d))
        return;
    (void)log_struct(LOG_WARNING, 0,
                     LOG_FIELDS(LOG_ID(DCM_MESSAGE_REQUEST_REFUSED), LOG_REQUEST(guid)),
                     "Refused request %s: %s", guid, text);
    console_log(d->console, LOG_CRIT, "The agent is overloaded. %s.", text);
}

static void accept_request(Dispatcher *d, const Message *m, char **payload, const char *hash) {
    const char *command = json_get_string(json_get(m->json, "payload"), "command");
    const Command *c = command ? command_find(command) : NULL;
    char text[ERROR_MESSAGE_MAX];
    Request *q = NULL;
    int r;

    if (is_overloaded(d, c, text, sizeof(text))) {
        say_overloaded(d, m->request_id, text);
        request_flow_nack(d->flow, m->request_id, text);
        return;
    }
    r = make_request(d, m, c, payload, hash, &q);
    if (r < 0) {
        request_flow_nack(d->flow, m->request_id, strerror(-r));
        return;
    }
    console_log(d->console, LOG_DEBUG, "Incoming command %s with request_id %s.", q->task.command,
                q->task.guid);
    if (q->error_message)
        request_flow_fire(q, REQUEST_EVENT_REJECT);
    else
        request_flow_accept(q, json_get(m->json, "payload"));
}

static void on_request(Dispatcher *d, const Message *m) {
    _cleanup_free_ char *payload = NULL;
    char hash[SHA256_HEX_SIZE];
    Request *q = NULL;
    size_t size = 0;
    int r;

    r = json_encode(json_get(m->json, "payload"), &payload, &size);
    if (r >= 0)
        r = request_flow_find(d->flow, m->request_id, &q);
    if (r < 0) { /* whether the GUID was executed before is unknown, so it must not be accepted */
        request_flow_nack(d->flow, m->request_id, strerror(-r));
        return;
    }
    sha256_hex(payload, size, hash);
    if (!q) {
        accept_request(d, m, &payload, hash);
        return;
    }
    if (!streq(hash, q->payload_sha256))
        (void)log_struct(
            LOG_WARNING, 0, LOG_FIELDS(LOG_REQUEST(q->task.guid), LOG_COMMAND(q->task.command)),
            "Request %s was received again with a different payload; the agent keeps the first",
            q->task.guid);
    request_flow_fire(q, REQUEST_EVENT_REQUEST);
}

static void on_other(Dispatcher *d, const Message *m, RequestEvent event) {
    char text[ERROR_MESSAGE_MAX];
    Request *q = NULL;
    int r;

    /* the start of a long job commits pending changes, which may free the request */
    if (event == REQUEST_EVENT_CANCEL)
        (void)request_flow_commit(d->flow);
    r = request_flow_find(d->flow, m->request_id, &q);
    if (r < 0) {
        (void)log_struct(LOG_WARNING, r, LOG_FIELDS(LOG_REQUEST(m->request_id)),
                         "%s for %s cannot be handled: %m", message_type_to_string(m->type),
                         m->request_id);
        return;
    }
    if (q && event == REQUEST_EVENT_CANCEL)
        (void)request_flow_cancel_long(d->flow, m->request_id);
    if (q) {
        request_flow_fire(q, event);
        return;
    }
    (void)utf8_format(text, sizeof(text), "%.*s is an unknown ID", UTF8_SHORT(m->request_id, 256));
    console_log(d->console, LOG_ERR, "There is no job with request_id %.*s.",
                UTF8_SHORT(m->request_id, 256));
    request_flow_nack(d->flow, m->request_id, text);
}

static void refuse_message(Dispatcher *d, const char *request_id, const char *text) {
    if (is_worth_a_line(d)) {
        (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_REQUEST(request_id)),
                         "A message from the manager was refused: %s", text);
        console_log(d->console, LOG_ERR, "A message cannot be handled: %s.", text);
    }
    request_flow_nack(d->flow, request_id, text);
}

static bool is_farewell(Dispatcher *d, const Message *m, bool is_known) {
    return d->on_farewell && d->on_farewell(m->request_id, is_known, d->farewell_userdata);
}

/* A refused alert is sent again, as if there was no answer. */
static void on_nack(Dispatcher *d, const Message *m) {
    if (alerts_has(d->alerts, m->request_id))
        (void)log_struct(LOG_DEBUG, 0, LOG_FIELDS(LOG_REQUEST(m->request_id)),
                         "The manager refuses alert %s", m->request_id);
    else if (!is_farewell(d, m, false))
        on_other(d, m, REQUEST_EVENT_NACK);
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
        on_nack(d, m);
        break;
    case MESSAGE_ALERT_ACK:
        alerts_acknowledge(d->alerts, m->request_id);
        break;
    case MESSAGE_UNREGISTER_ACK:
        (void)is_farewell(d, m, true);
        break;
    case MESSAGE_CANCEL:
        on_other(d, m, REQUEST_EVENT_CANCEL);
        break;
    case MESSAGE_STATUS:
        on_other(d, m, REQUEST_EVENT_STATUS);
        break;
    case MESSAGE_HEMLOCK:
        d->on_hemlock(d->userdata);
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

void dispatcher_set_on_farewell(Dispatcher *d, DispatcherFarewell on_farewell, void *userdata) {
    d->on_farewell = on_farewell;
    d->farewell_userdata = userdata;
}

void dispatcher_set_refusing(Dispatcher *d, bool refusing) {
    d->refusing = refusing;
}

void dispatcher_set_max_at_once(Dispatcher *d, int64_t max_at_once) {
    d->max_at_once = max_at_once;
}

int dispatcher_new(RequestFlow *flow, Alerts *alerts, Console *console,
                   void (*on_hemlock)(void *userdata), void *userdata, Dispatcher **ret) {
    Dispatcher *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->flow = flow;
    d->alerts = alerts;
    d->console = console;
    d->max_at_once = -1;
    d->refusals = (RateLimit){.interval_usec = REFUSALS_INTERVAL_USEC, .burst = REFUSALS_BURST};
    d->on_hemlock = on_hemlock;
    d->userdata = userdata;
    *ret = d;
    return 0;
}

Dispatcher *dispatcher_free(Dispatcher *d) {
    free(d);
    return NULL;
}
