/* SPDX-License-Identifier: Apache-2.0 */
#include "job/reply-output.h"

#include <stdio.h>

#include "proto/message.h"

static const char *get_text(struct json_object *output, struct json_object *reply,
                            const char *key) {
    return json_get_string(output, key) ?: json_get_string(reply, key);
}

static bool is_reply(struct json_object *output) {
    struct json_object *code = json_get(output, "return_code");
    int64_t value;

    return json_object_is_type(output, json_type_object) &&
           (!code || json_to_integer(code, &value) >= 0);
}

static int make_error(int return_code, const char *output, const char *error_message,
                      const char *expected, struct json_object **ret) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "%s%sThe output of the command is not %s.\n", strempty(error_message),
                 isempty(error_message) ? "" : "\n", expected) < 0)
        return -ENOMEM;
    return reply_new(return_code != 0 ? return_code : 1, "void", NULL, output, text, ret);
}

static int take_reply(const char *reply_type, struct json_object *reply, const char *text,
                      struct json_object **ret) {
    int return_code = json_object_get_int(json_get(reply, "return_code")), code, r;
    _cleanup_json_ struct json_object *output = NULL;
    struct json_object *object;

    r = json_parse_part(text, strlen(text), &output);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || !is_reply(output))
        return make_error(return_code, text, json_get_string(reply, "error_message"),
                          "a valid reply object", ret);
    code = json_object_get_int(json_get(output, "return_code"));
    object = json_get(output, "reply_object");
    return reply_new(code != 0 ? code : return_code,
                     json_get_string(output, "reply_type")
                         ?: (object ? reply_type ?: "object" : "void"),
                     json_object_get(object), json_get_string(output, "message"),
                     get_text(output, reply, "error_message"), ret);
}

static int take_string(const char *reply_type, struct json_object *reply, const char *text,
                       struct json_object **ret) {
    size_t size = strlen(text);
    struct json_object *object;

    while (size > 0 && text[size - 1] == '\n')
        size--;
    object = json_object_new_string_len(text, (int)size);
    return object ? reply_new(0, reply_type ?: "string", object, NULL,
                              json_get_string(reply, "error_message"), ret)
                  : -ENOMEM;
}

static int take_json(const char *reply_type, struct json_object *reply, const char *text,
                     struct json_object **ret) {
    struct json_object *object = NULL;
    int r;

    r = json_parse_part(text, strlen(text), &object);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return make_error(0, text, json_get_string(reply, "error_message"), "JSON", ret);
    return reply_new(0, reply_type, object, NULL, json_get_string(reply, "error_message"), ret);
}

int reply_take_output(CommandOutput output, const char *reply_type, struct json_object **reply) {
    const char *text = strempty(json_get_string(*reply, "message"));
    bool failed = json_object_get_int(json_get(*reply, "return_code")) != 0;
    struct json_object *made;

    if (output == OUTPUT_TEXT || (failed && output != OUTPUT_REPLY))
        return 0;
    TRY(output == OUTPUT_REPLY    ? take_reply(reply_type, *reply, text, &made)
        : output == OUTPUT_STRING ? take_string(reply_type, *reply, text, &made)
                                  : take_json(reply_type, *reply, text, &made));
    (void)json_object_put(*reply);
    *reply = made;
    return 0;
}
