/* SPDX-License-Identifier: Apache-2.0 */
/* Messages after the handshake (docs/protocol, section 3), for both sides. */
#pragma once

#include "proto/json.h"

#define PROTOCOL_VERSION 104
/* the request_id of a NACK that answers a message without one */
#define REQUEST_ID_UNKNOWN "DEADBEEF"

typedef enum MessageType {
    MESSAGE_REQUEST,
    MESSAGE_ACK,
    MESSAGE_NACK,
    MESSAGE_REPLY,
    MESSAGE_CANCEL,
    MESSAGE_STATUS,
    MESSAGE_LOG,
    MESSAGE_ALERT,
    MESSAGE_ALERT_ACK,
    MESSAGE_HEMLOCK,
    MESSAGE_UNREGISTER,
    MESSAGE_UNREGISTER_ACK,
    _MESSAGE_MAX,
    _MESSAGE_INVALID = -EINVAL,
} MessageType;

/* Strings and objects belong to `json`. */
typedef struct Message {
    MessageType type;
    const char *request_id; /* NULL only for LOG */
    const char *message_id; /* may be NULL */
    struct json_object *json;
} Message;

const char *message_type_to_string(MessageType type) _const_;
MessageType message_type_from_string(const char *s) _pure_;

/* Parses a peer's message. On failure (-EBADMSG, or another negative errno of json_parse()) *ret
 * has the fields that could be read, request_id included, and *ret_error the text for the NACK; the
 * caller must still call message_done(). */
int message_parse(const char *text, size_t size, Message *ret, const char **ret_error);
void message_done(Message *m);

/* Begins a message to a peer. Omits `entity` and `agent_id` if they are NULL. */
int message_new(MessageType type, const char *message_id, const char *request_id,
                const char *entity, const char *agent_id, struct json_object **ret);

/* Builds a complete LOG message for the console: `level` as in the protocol ("INFO"), the text cut
 * to LOG_MESSAGE_MAX and percent-encoded. */
int message_new_log(const char *level, const char *text, struct json_object **ret);

/* Builds a reply object (section 5). All texts may be NULL (empty). Takes ownership of
 * `reply_object` (may be NULL), also on failure. */
int reply_new(int return_code, const char *reply_type, struct json_object *reply_object,
              const char *message, const char *error_message, struct json_object **ret);

/* The reply to an error before the start of a script: return_code 1, text percent-encoded. */
int reply_new_error(const char *text, struct json_object **ret);
