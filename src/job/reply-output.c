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
                      struct json_object **ret) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "%s%sThe output of the command is no reply object.\n",
                 strempty(error_message), isempty(error_message) ? "" : "\n") < 0)
        return -ENOMEM;
    return reply_new(return_code != 0 ? return_code : 1, "void", NULL, output, text, ret);
}

int reply_take_output(struct json_object **reply) {
    _cleanup_json_ struct json_object *output = NULL;
    const char *text = strempty(json_get_string(*reply, "message"));
    int return_code = json_object_get_int(json_get(*reply, "return_code")), r;
    struct json_object *object, *made;

    r = json_parse_part(text, strlen(text), &output);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || !is_reply(output))
        r = make_error(return_code, text, json_get_string(*reply, "error_message"), &made);
    else {
        int code = json_object_get_int(json_get(output, "return_code"));

        object = json_get(output, "reply_object");
        r = reply_new(code != 0 ? code : return_code,
                      json_get_string(output, "reply_type") ?: (object ? "object" : "void"),
                      json_object_get(object), json_get_string(output, "message"),
                      get_text(output, *reply, "error_message"), &made);
    }
    if (r < 0)
        return r;
    (void)json_object_put(*reply);
    *reply = made;
    return 0;
}
