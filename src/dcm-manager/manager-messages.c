/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange of messages with agents. Only its own agent can change a request; for requests of
 * other agents an agent gets the same answer as for unknown ones. */
#include "dcm-manager/manager-messages.h"

#include <stdio.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "proto/text.h"

static int send_plain(Peer *p, MessageType type, const char *message_id, const char *request_id) {
    _cleanup_json_ struct json_object *message = NULL;

    TRY(message_new(type, message_id, request_id, NULL, NULL, &message));
    return session_send(p->session, message);
}

/* -ENOENT: unknown, or another agent's */
static int get_own(Peer *p, const char *guid, LedgerRequest *ret) {
    int r;

    r = ledger_get_request(p->manager->store, guid, ret);
    if (r >= 0 && !streq(ret->agent, p->agent))
        return -ENOENT;
    return r;
}

void request_changed(Manager *m, const char *guid, OrderState state) {
    if (m->observer.on_request)
        m->observer.on_request(guid, state, m->userdata);
}

/* What follows once a message of an agent is stored. */
typedef struct Receipt {
    LedgerPromise promise;
    Manager *manager;
    MessageType type;
    bool has_answer;
    MessageType answer;
    bool is_of_request;
    bool is_changed;
    OrderState state; /* of the request */
    char *agent, *guid, *message_id;
} Receipt;

static void receipt_free(Receipt *t) {
    free(t->agent);
    free(t->guid);
    free(t->message_id);
    free(t);
}
DEFINE_CLEANUP(Receipt *, receipt_free)

/* The agent may have another connection by now, and waits for the answer there, too. */
static void on_stored(LedgerPromise *promise, int error) {
    _cleanup_(receipt_freep) Receipt *t = (Receipt *)promise;
    Peer *p = peer_find(t->manager, t->agent);

    if (error < 0) { /* the agent repeats the message until it is acknowledged */
        (void)log_struct(LOG_ERR, error, LOG_FIELDS(LOG_REQUEST(t->guid), LOG_AGENT_ID(t->agent)),
                         "%s of request %s cannot be stored: %m", message_type_to_string(t->type),
                         t->guid);
        return;
    }
    if (p && p->delivery && t->is_of_request && !order_is_open(t->state))
        delivery_remove(p->delivery, t->guid);
    if (p && t->has_answer)
        (void)send_plain(p, t->answer, t->message_id, t->guid);
    if (t->is_changed)
        request_changed(t->manager, t->guid, t->state);
}

static int receipt_new(Peer *p, const Message *m, Receipt **ret) {
    _cleanup_(receipt_freep) Receipt *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->promise.done = on_stored;
    t->manager = p->manager;
    t->type = m->type;
    TRY(free_and_strdup(&t->agent, p->agent));
    TRY(free_and_strdup(&t->guid, m->request_id));
    TRY(free_and_strdup(&t->message_id, m->message_id));
    *ret = TAKE_PTR(t);
    return 0;
}

static int advance(Peer *p, const Message *m, const LedgerRequest *request, OrderEvent event,
                   const char *reply, const char *error) {
    OrderState next = order_next(request->state, event);
    _cleanup_(receipt_freep) Receipt *t = NULL;

    TRY(receipt_new(p, m, &t));
    t->is_of_request = true;
    t->state = next;
    t->is_changed = next != request->state;
    t->has_answer = event == ORDER_EVENT_REPLY;
    t->answer = MESSAGE_ACK;
    if (t->is_changed) {
        TRY(ledger_set_request(p->manager->store, m->request_id, next, reply, error));
    }
    ledger_promise(p->manager->store, &TAKE_PTR(t)->promise);
    return 0;
}

static void report(Peer *p, const Message *m, int error) {
    if (error == -ENOENT)
        (void)log_struct(LOG_DEBUG, 0,
                         LOG_FIELDS(LOG_REQUEST(m->request_id), LOG_AGENT_ID(p->agent)),
                         "%s: %s of an unknown request", p->agent, message_type_to_string(m->type));
    else if (error < 0) /* the agent repeats the message until it is acknowledged */
        (void)log_struct(LOG_ERR, error,
                         LOG_FIELDS(LOG_REQUEST(m->request_id), LOG_AGENT_ID(p->agent)),
                         "%s of request %s cannot be stored: %m", message_type_to_string(m->type),
                         m->request_id);
}

static void take_ack(Peer *p, const Message *m) {
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    int r;

    r = get_own(p, m->request_id, &request);
    if (r >= 0)
        r = advance(p, m, &request, ORDER_EVENT_ACK, NULL, NULL);
    report(p, m, r);
}

/* Cuts the text, because it is stored. */
static int take_error_text(struct json_object *message, char **ret) {
    const char *text = strempty(json_get_string(message, "error_message"));

    *ret = strndup(text, utf8_cut(text, strnlen(text, ERROR_MESSAGE_MAX)));
    return *ret ? 0 : -ENOMEM;
}

/* Whether the GUID has a pending query on this connection; removes it. */
static bool take_question(Peer *p, const char *guid) {
    for (size_t i = 0; i < p->n_questions; i++)
        if (streq(p->questions[i], guid)) {
            free(p->questions[i]);
            p->questions[i] = p->questions[--p->n_questions];
            return true;
        }
    return false;
}

/* At the limit drops the oldest one. */
static void note_question(Peer *p, const char *guid) {
    char *copy = strdup(guid);

    if (!copy)
        return;
    if (p->n_questions == QUESTIONS_MAX) {
        free(p->questions[0]);
        p->n_questions--;
        memmove(p->questions, p->questions + 1, p->n_questions * sizeof(*p->questions));
    }
    p->questions[p->n_questions++] = copy;
}

/* A Python agent answers each STATUS with a NACK, whatever the request's state; so does an agent
 * that does not know the request. Neither means that the request is refused. */
static void take_nack(Peer *p, const Message *m) {
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    _cleanup_free_ char *error = NULL;
    bool is_answer = take_question(p, m->request_id);
    int r;

    r = take_error_text(m->json, &error);
    if (r >= 0)
        r = get_own(p, m->request_id, &request);
    if (r >= 0 && !is_answer)
        r = advance(p, m, &request, ORDER_EVENT_NACK, NULL, error);
    report(p, m, r);
    (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_REQUEST(m->request_id), LOG_AGENT_ID(p->agent)),
                     is_answer ? "%s cannot tell the status of %s: %s" : "%s refuses %s: %s",
                     p->agent, m->request_id, strempty(error));
    if (r >= 0 && p->manager->observer.on_status) /* it may answer a query */
        p->manager->observer.on_status(m->request_id, m->json, p->manager->userdata);
}

/* After a restart a Python agent sends the stored reply as a string that contains JSON. */
static int encode_reply(struct json_object *payload, char **ret) {
    _cleanup_json_ struct json_object *parsed = NULL;
    int r = 0;

    if (json_object_is_type(payload, json_type_string))
        r = json_parse(json_object_get_string(payload), (size_t)json_object_get_string_len(payload),
                       &parsed);
    if (r == -ENOMEM)
        return r;
    if (parsed)
        payload = parsed;
    else if (json_object_is_type(payload, json_type_string) && r >= 0)
        payload = NULL; /* "null" */
    return payload ? json_encode(payload, ret, NULL) : free_and_strdup(ret, "null");
}

/* Acknowledges the reply once it is stored, and each repetition again. `reply` NULL: it
 * could not be encoded. */
static void ledger_reply(Peer *p, const Message *m, const char *reply) {
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    int r;

    r = get_own(p, m->request_id, &request);
    if (r == -ENOENT) {
        (void)send_plain(p, MESSAGE_NACK, m->message_id, m->request_id);
        report(p, m, r);
        return;
    }
    if (r >= 0)
        r = reply ? advance(p, m, &request, ORDER_EVENT_REPLY, reply, NULL) : -ENOMEM;
    report(p, m, r);
}

static void take_reply(Peer *p, const Message *m) {
    _cleanup_free_ char *reply = NULL;

    (void)encode_reply(json_get(m->json, "payload"), &reply);
    ledger_reply(p, m, reply);
}

static void take_unreadable_reply(Peer *p, const Message *m, const char *why) {
    _cleanup_json_ struct json_object *reply = NULL;
    _cleanup_free_ char *error = NULL, *text = NULL;

    if (asprintf(&error, "The agent's reply cannot be accepted. %s", why) < 0)
        error = NULL;
    if (error && reply_new(1, "void", NULL, NULL, error, &reply) >= 0)
        (void)json_encode(reply, &text, NULL);
    ledger_reply(p, m, text);
}

/* Trims also at the first line of a connection, so that short connections are trimmed too. */
static void trim(Peer *p, size_t size) {
    bool due = p->n_kept++ % TRIM_EVERY == 0 || p->kept_size > TRIM_SIZE;
    int r = 0;

    if (due)
        r = ledger_trim(p->manager->store, p->agent, KEPT_SIZE_MAX);
    p->kept_size = due ? size : p->kept_size + size;
    if (r < 0)
        (void)log_warning_errno(r, "Old lines and alerts of %s cannot be removed: %m", p->agent);
}

static void keep_line(Peer *p, const char *level, const char *text) {
    Manager *m = p->manager;
    int64_t time;
    int r;

    trim(p, strlen(text));
    r = ledger_add_log(m->store, p->agent, level, text, &time);
    if (r < 0)
        (void)log_warning_errno(r, "A console line of %s cannot be stored: %m", p->agent);
    else if (m->observer.on_log)
        m->observer.on_log(p->agent, time, level, text, m->userdata);
}

static void take_log(Peer *p, const Message *m) {
    static const char *const levels[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    const char *given = strempty(json_get_string(m->json, "level")), *level = "INFO";
    _cleanup_free_ char *text = NULL;

    for (size_t i = 0; i < ELEMENTSOF(levels); i++)
        if (streq(given, levels[i]))
            level = levels[i];
    if (percent_decode(strempty(json_get_string(m->json, "message")), &text) < 0) {
        (void)log_oom();
        return;
    }
    text[utf8_cut(text, strnlen(text, LOG_MESSAGE_MAX))] = 0;
    keep_line(p, level, text);
}

static void take_status(Peer *p, const Message *m) {
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    const char *state = json_get_string(m->json, "state");
    char line[128 + GUID_SIZE_MAX];
    int r;

    (void)take_question(p, m->request_id);
    r = get_own(p, m->request_id, &request);
    report(p, m, r);
    if (r < 0)
        return;
    (void)utf8_format(line, sizeof(line), "Status of request %s: %.*s", m->request_id,
                      UTF8_SHORT(state ?: "unknown", 64));
    keep_line(p, "INFO", line);
    if (p->manager->observer.on_status)
        p->manager->observer.on_status(m->request_id, m->json, p->manager->userdata);
}

/* Keeps time and level, and as much of the texts as fits. */
static int shorten_alert(struct json_object *alert, char **ret) {
    static const char *const texts[] = {"user", "source_ip", "subject", "message"};
    static const char *const numbers[] = {"current_timestamp", "alert_timestamp", "level", "rule"};
    _cleanup_json_ struct json_object *o = json_object_new_object();
    int r;

    if (!o)
        return -ENOMEM;
    r = json_add_string(o, "type", "ALERT") ?: json_add_bool(o, "shortened", true);
    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(numbers); i++) {
        struct json_object *value = json_get(alert, numbers[i]);

        if (json_object_is_type(value, json_type_int) ||
            json_object_is_type(value, json_type_double))
            r = json_add(o, numbers[i], json_object_get(value));
    }
    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(texts); i++) {
        const char *text = strempty(json_get_string(alert, texts[i]));

        r = json_add(o, texts[i],
                     json_object_new_string_len(
                         text, (int)utf8_cut(text, strnlen(text, ALERT_SHORT_TEXT_MAX))));
    }
    return r < 0 ? r : json_encode(o, ret, NULL);
}

static int encode_alert(struct json_object *alert, char **ret, size_t *ret_size) {
    int r;

    r = json_encode(alert, ret, ret_size);
    if (r < 0 || *ret_size <= ALERT_SIZE_MAX)
        return r;
    free(*ret);
    *ret = NULL;
    r = shorten_alert(alert, ret);
    if (r >= 0)
        *ret_size = strlen(*ret);
    return r;
}

static int keep_alert(Peer *p, const Message *m, const char *text) {
    _cleanup_(receipt_freep) Receipt *t = NULL;

    TRY(receipt_new(p, m, &t));
    t->has_answer = true;
    t->answer = MESSAGE_ALERT_ACK;
    TRY(ledger_add_alert(p->manager->store, p->agent, m->request_id, text));
    ledger_promise(p->manager->store, &TAKE_PTR(t)->promise);
    return 0;
}

static void take_alert(Peer *p, const Message *m) {
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r;

    r = encode_alert(m->json, &text, &size);
    if (r >= 0) {
        trim(p, size);
        r = keep_alert(p, m, text);
    }
    report(p, m, r);
}

static void take_unreadable_alert(Peer *p, const Message *m, const char *why) {
    _cleanup_json_ struct json_object *alert = json_object_new_object();
    _cleanup_free_ char *text = NULL, *json = NULL;
    int r = -ENOMEM;

    if (asprintf(&text, "The agent's alert cannot be accepted. %s", why) < 0)
        text = NULL;
    if (alert && text)
        r = json_add_string(alert, "type", "ALERT")
                ?: json_add_string(alert, "request_id", m->request_id)
                ?: json_add_bool(alert, "shortened", true)
                ?: json_add_string(alert, "message", text);
    if (r >= 0)
        r = json_encode(alert, &json, NULL);
    if (r >= 0)
        r = keep_alert(p, m, json);
    report(p, m, r);
}

bool peer_take_unreadable(Peer *p, const Message *m, const char *why) {
    if (!p->agent || (m->type != MESSAGE_REPLY && m->type != MESSAGE_ALERT))
        return false;
    (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_REQUEST(m->request_id), LOG_AGENT_ID(p->agent)),
                     "%s of %s for %s cannot be taken. %s", message_type_to_string(m->type),
                     p->agent, m->request_id, why);
    if (m->type == MESSAGE_REPLY)
        take_unreadable_reply(p, m, why);
    else
        take_unreadable_alert(p, m, why);
    return true;
}

void peer_take_message(Peer *p, const Message *m) {
    if (!p->agent)
        return;
    switch (m->type) {
    case MESSAGE_ACK:
        take_ack(p, m);
        break;
    case MESSAGE_NACK:
        take_nack(p, m);
        break;
    case MESSAGE_REPLY:
        take_reply(p, m);
        break;
    case MESSAGE_STATUS:
        take_status(p, m);
        break;
    case MESSAGE_LOG:
        take_log(p, m);
        break;
    case MESSAGE_ALERT:
        take_alert(p, m);
        break;
    default:
        log_debug("%s: %s is not for managers", p->agent, message_type_to_string(m->type));
    }
}

static int send_message(struct json_object *message, void *userdata) {
    Peer *p = userdata;

    return session_send(p->session, message);
}

static bool has_room(void *userdata) {
    const Peer *p = userdata;

    return session_has_room(p->session);
}

static void on_sent(const char *guid, void *userdata) {
    Peer *p = userdata;

    request_changed(p->manager, guid, ORDER_SENT);
}

int peer_start_delivery(Peer *p) {
    static const DeliveryCallbacks callbacks = {
        .has_room = has_room, .send = send_message, .on_sent = on_sent};
    Manager *m = p->manager;

    TRY(delivery_new(m->event, m->store, p->agent, m->options.retransmit_usec, &callbacks, p,
                     &p->delivery));
    return delivery_start(p->delivery);
}

int peer_ask(Peer *p, MessageType type, const char *guid) {
    char message_id[32];
    int r;

    message_id_generate(message_id, sizeof(message_id));
    r = send_plain(p, type, message_id, guid);
    if (r >= 0 && type == MESSAGE_STATUS)
        note_question(p, guid);
    return r;
}
