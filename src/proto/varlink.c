/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/varlink.h"

void varlink_call_done(VarlinkCall *c) {
    if (c->json)
        (void)json_object_put(c->json);
    *c = (VarlinkCall){};
}

/* An absent flag is false; a value that is not a boolean is an error. */
static bool read_flag(struct json_object *o, const char *key, bool *ret) {
    struct json_object *flag = json_get(o, key);

    *ret = flag && json_object_get_boolean(flag);
    return !flag || json_object_is_type(flag, json_type_boolean);
}

int varlink_call_parse(const char *text, size_t size, VarlinkCall *ret) {
    VarlinkCall c = {};
    int r;

    r = json_parse_small(text, size, &c.json);
    if (r == -ENOMEM)
        return r;
    c.method = r >= 0 ? json_get_string(c.json, "method") : NULL;
    c.parameters = json_get(c.json, "parameters");
    if (!c.method || !strrchr(c.method, '.') || !read_flag(c.json, "oneway", &c.oneway) ||
        !read_flag(c.json, "more", &c.more) ||
        (c.parameters && !json_object_is_type(c.parameters, json_type_object))) {
        varlink_call_done(&c);
        return -EBADMSG;
    }
    *ret = c;
    return 0;
}

/* The NUL of the C string also ends the message. */
static int encode(const char *key, const char *name, struct json_object *parameters, char **ret,
                  size_t *ret_size) {
    _cleanup_json_ struct json_object *o = json_object_new_object(), *p = parameters;
    int r = o ? 0 : -ENOMEM;

    if (r >= 0 && key)
        r = json_add_string(o, key, name);
    if (r >= 0 && p)
        r = json_add(o, "parameters", TAKE_PTR(p));
    if (r >= 0)
        r = json_encode(o, ret, ret_size);
    if (r >= 0)
        *ret_size += 1;
    return r;
}

int varlink_reply_encode(struct json_object *parameters, char **ret, size_t *ret_size) {
    struct json_object *p = parameters ?: json_object_new_object();

    return p ? encode(NULL, NULL, p, ret, ret_size) : -ENOMEM;
}

int varlink_error_encode(const char *error, struct json_object *parameters, char **ret,
                         size_t *ret_size) {
    return encode("error", error, parameters, ret, ret_size);
}

int varlink_call_encode(const char *method, struct json_object *parameters, char **ret,
                        size_t *ret_size) {
    return encode("method", method, parameters, ret, ret_size);
}

int varlink_answer_parse(const char *text, size_t size, char **ret_error) {
    _cleanup_json_ struct json_object *o = NULL;
    struct json_object *error;
    int r;

    r = json_parse_small(text, size, &o);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || !json_object_is_type(o, json_type_object))
        return -EBADMSG;
    error = json_get(o, "error");
    if (!error)
        return 0;
    *ret_error = strdup(strempty(json_get_string(o, "error")));
    return *ret_error ? -EREMOTEIO : -ENOMEM;
}
