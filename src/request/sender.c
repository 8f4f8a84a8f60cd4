/* SPDX-License-Identifier: Apache-2.0 */
#include "request/sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "proto/message.h"

#define MESSAGE_ID_SIZE 32

struct Sender {
    Connection *connection;
    Store *store;
    const char *agent_id;
    const char *pause; /* "": none */
    uint32_t prefix;   /* random, for this process */
    uint64_t counter;
};

int sender_new(Connection *connection, Store *store, Sender **ret) {
    Sender *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->connection = connection;
    s->store = store;
    s->pause = "";
    if (getrandom(&s->prefix, sizeof(s->prefix), 0) != sizeof(s->prefix)) {
        free(s);
        return -EIO;
    }
    *ret = s;
    return 0;
}

Sender *sender_free(Sender *s) {
    free(s);
    return NULL;
}

void sender_set_agent_id(Sender *s, const char *agent_id) {
    s->agent_id = agent_id;
}

void sender_set_pause(Sender *s, const char *pause) {
    s->pause = pause;
}

static void next_message_id(Sender *s, char ret[static MESSAGE_ID_SIZE]) {
    (void)snprintf(ret, MESSAGE_ID_SIZE, "%08" PRIx32 "%" PRIu64, s->prefix, ++s->counter);
}

/* Loads the stored reply as an object; NULL if there is none. */
static int load_reply(Sender *s, const char *guid, struct json_object **ret) {
    _cleanup_(stored_request_done) StoredRequest row = {};

    *ret = NULL;
    TRY(store_load_request(s->store, guid, true, &row));
    return row.reply ? json_parse_stored(row.reply, strlen(row.reply), ret) : 0;
}

static int send_ack(Sender *s, const Request *q) {
    _cleanup_json_ struct json_object *m = NULL;
    char id[MESSAGE_ID_SIZE];

    next_message_id(s, id);
    TRY(message_new(MESSAGE_ACK, id, q->task.guid, "user_accepts", s->agent_id, &m));
    return connection_send(s->connection, m);
}

static int send_nack(Sender *s, const char *request_id, const char *error_message) {
    _cleanup_json_ struct json_object *m = NULL;
    char id[MESSAGE_ID_SIZE];

    next_message_id(s, id);
    TRY(message_new(MESSAGE_NACK, id, request_id ?: REQUEST_ID_UNKNOWN, NULL, s->agent_id, &m));
    TRY(json_add_string(m, "error_message", error_message));
    return connection_send(s->connection, m);
}

static int send_reply(Sender *s, Request *q, bool again) {
    _cleanup_json_ struct json_object *m = NULL, *reply = NULL;
    char id[MESSAGE_ID_SIZE];

    if (connection_get_state(s->connection) != CONNECTION_OPEN)
        return -ENOTCONN;
    if (!again || !q->reply_message_id) {
        next_message_id(s, id);
        TRY(free_and_strdup(&q->reply_message_id, id));
    }
    if (q->reply) /* just stored */
        reply = json_object_get(q->reply);
    TRY(reply ? 0 : load_reply(s, q->task.guid, &reply));
    TRY(message_new(MESSAGE_REPLY, q->reply_message_id, q->task.guid, "timer", s->agent_id, &m));
    TRY(reply ? json_add(m, "payload", TAKE_PTR(reply)) : json_add_null(m, "payload"));
    return connection_send(s->connection, m);
}

static int send_status(Sender *s, const Request *q) {
    _cleanup_json_ struct json_object *m = NULL, *reply = NULL;
    char id[MESSAGE_ID_SIZE];
    int r;

    next_message_id(s, id);
    r = load_reply(s, q->task.guid, &reply);
    if (r < 0 && r != -ENOENT) /* not stored yet: no reply */
        return r;
    TRY(message_new(MESSAGE_STATUS, id, q->task.guid, "status", s->agent_id, &m));
    TRY(json_add_string(m, "state", request_state_to_string(q->state)));
    TRY(reply ? json_add(m, "reply", TAKE_PTR(reply)) : json_add_null(m, "reply"));
    TRY(*s->pause ? json_add_string(m, "pause", s->pause) : 0);
    return connection_send(s->connection, m);
}

static void log_unsent(int error, const char *request_id, const char *what) {
    if (error < 0 && error != -ENOTCONN)
        (void)log_struct(LOG_DEBUG, error, LOG_FIELDS(LOG_REQUEST(request_id)),
                         "%s could not be sent: %m", what);
}

void sender_ack(Sender *s, const Request *q) {
    log_unsent(send_ack(s, q), q->task.guid, "An ACK");
}

void sender_nack(Sender *s, const char *request_id, const char *error_message) {
    log_unsent(send_nack(s, request_id, error_message), request_id, "A NACK");
}

void sender_reply(Sender *s, Request *q, bool again) {
    log_unsent(send_reply(s, q, again), q->task.guid, "A reply");
}

void sender_status(Sender *s, const Request *q) {
    log_unsent(send_status(s, q), q->task.guid, "A status");
}
