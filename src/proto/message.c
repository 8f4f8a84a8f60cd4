/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/message.h"

#include "basic/bounds.h"
#include "basic/guid.h"
#include "proto/text.h"

static const char *const type_names[_MESSAGE_MAX] = {
    [MESSAGE_REQUEST] = "REQUEST",
    [MESSAGE_ACK] = "ACK",
    [MESSAGE_NACK] = "NACK",
    [MESSAGE_REPLY] = "REPLY",
    [MESSAGE_CANCEL] = "CANCEL",
    [MESSAGE_STATUS] = "STATUS",
    [MESSAGE_LOG] = "LOG",
    [MESSAGE_ALERT] = "ALERT",
    [MESSAGE_HEMLOCK] = "HEMLOCK",
    [MESSAGE_ALERT_ACK] = "ALERT_ACK",
    [MESSAGE_UNREGISTER] = "UNREGISTER",
    [MESSAGE_UNREGISTER_ACK] = "UNREGISTER_ACK",
};

const char *message_type_to_string(MessageType type) {
    return type >= 0 && type < _MESSAGE_MAX ? type_names[type] : NULL;
}

MessageType message_type_from_string(const char *s) {
    for (MessageType t = 0; t < _MESSAGE_MAX; t++)
        if (streq(s, type_names[t]))
            return t;
    return _MESSAGE_INVALID;
}

static const char *parse_error_text(int error) {
    switch (error) {
    case -ELOOP:
        return "The message is nested too deep";
    case -EILSEQ:
        return "The message is not valid UTF-8";
    case -E2BIG:
        return "The message has too many values";
    case -ENOMEM:
        return "Out of memory";
    default:
        return "The message is not a JSON document";
    }
}

int message_parse(const char *text, size_t size, Message *ret, const char **ret_error) {
    const char *type;
    int r;

    *ret = (Message){.type = _MESSAGE_INVALID};
    r = json_parse(text, size, &ret->json);
    if (r < 0) {
        *ret_error = parse_error_text(r);
        return r;
    }

    *ret_error = NULL;
    ret->request_id = json_get_string(ret->json, "request_id");
    if (ret->request_id && !guid_is_valid(ret->request_id))
        ret->request_id = NULL;
    ret->message_id = json_get_string(ret->json, "message_id");
    type = json_get_string(ret->json, "type");
    if (!json_object_is_type(ret->json, json_type_object))
        *ret_error = "The message is not a JSON object";
    else if (!type)
        *ret_error = "The message has no type";
    else {
        ret->type = message_type_from_string(type);
        if (ret->type < 0)
            *ret_error = "The type of the message is not known";
        else if (!ret->request_id && ret->type != MESSAGE_LOG)
            *ret_error = "The message has no valid request_id";
    }
    return *ret_error ? -EBADMSG : 0;
}

void message_done(Message *m) {
    json_object_putp(&m->json);
    *m = (Message){.type = _MESSAGE_INVALID};
}

int message_new(MessageType type, const char *message_id, const char *request_id,
                const char *entity, const char *agent_id, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    int r;

    if (!o)
        return -ENOMEM;
    r = json_add_string(o, "type", message_type_to_string(type))
            ?: json_add_string(o, "message_id", message_id)
            ?: json_add_string(o, "request_id", request_id);
    if (r >= 0 && entity)
        r = json_add_string(o, "entity", entity);
    if (r >= 0 && agent_id)
        r = json_add_string(o, "agent_id", agent_id);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(o);
    return 0;
}

int message_new_log(const char *level, const char *text, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    _cleanup_free_ char *encoded = NULL;

    if (!o)
        return -ENOMEM;
    TRY(percent_encode(text, LOG_MESSAGE_MAX, &encoded));
    TRY(json_add_string(o, "type", message_type_to_string(MESSAGE_LOG)));
    TRY(json_add_string(o, "token", ""));
    TRY(json_add_string(o, "level", level));
    TRY(json_add_string(o, "message", encoded));
    *ret = TAKE_PTR(o);
    return 0;
}

int reply_new(int return_code, const char *reply_type, struct json_object *reply_object,
              const char *message, const char *error_message, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object(), *object = reply_object;

    if (!o)
        return -ENOMEM;
    TRY(json_add_int(o, "return_code", return_code));
    TRY(json_add_string(o, "reply_type", reply_type));
    TRY(object ? json_add(o, "reply_object", TAKE_PTR(object)) : json_add_null(o, "reply_object"));
    TRY(json_add_string(o, "message", strempty(message)));
    TRY(json_add_string(o, "error_message", strempty(error_message)));
    *ret = TAKE_PTR(o);
    return 0;
}

int reply_new_error(const char *text, struct json_object **ret) {
    _cleanup_free_ char *encoded = NULL;

    TRY(percent_encode(text, ERROR_MESSAGE_MAX, &encoded));
    return reply_new(1, "void", NULL, NULL, encoded, ret);
}
