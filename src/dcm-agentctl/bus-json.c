/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/bus-json.h"

/* A container's elements as an array, or as an object if they are dictionary entries. */
static int json_from_container(sd_bus_message *m, char type, const char *contents,
                               struct json_object **ret) {
    _cleanup_json_ struct json_object *o = NULL;
    bool is_dictionary = type == 'a' && contents[0] == '{';
    int r;

    o = is_dictionary ? json_object_new_object() : json_object_new_array();
    r = sd_bus_message_enter_container(m, type, contents);
    while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
        struct json_object *value = NULL;
        const char *key = NULL;

        if (is_dictionary) {
            r = sd_bus_message_enter_container(m, 'e', NULL);
            if (r >= 0)
                r = sd_bus_message_read(m, "s", &key);
        }
        if (r >= 0)
            r = ctl_json_from_bus(m, &value);
        if (r >= 0 && is_dictionary)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
        if (is_dictionary)
            (void)json_object_object_add(o, key, value);
        else
            (void)json_object_array_add(o, value);
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r >= 0)
        *ret = TAKE_PTR(o);
    return r;
}

static int json_from_basic(sd_bus_message *m, char type, struct json_object **ret) {
    union {
        const char *s;
        uint32_t u;
        int32_t i;
        uint64_t t;
        int b;
    } v;

    TRY(sd_bus_message_read_basic(m, type, &v));
    switch (type) {
    case 's':
        *ret = json_object_new_string(v.s);
        return 0;
    case 'i':
        *ret = json_object_new_int64(v.i);
        return 0;
    case 'u':
        *ret = json_object_new_int64(v.u);
        return 0;
    case 't':
        *ret = json_object_new_uint64(v.t);
        return 0;
    case 'b':
        *ret = json_object_new_boolean(v.b);
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

int ctl_json_from_bus(sd_bus_message *m, struct json_object **ret) {
    const char *contents;
    char type;
    int r;

    r = sd_bus_message_peek_type(m, &type, &contents);
    if (r < 0)
        return r;
    if (type == 'v') {
        TRY(sd_bus_message_enter_container(m, 'v', contents));
        TRY(ctl_json_from_bus(m, ret));
        return sd_bus_message_exit_container(m);
    }
    return contents ? json_from_container(m, type, contents, ret) : json_from_basic(m, type, ret);
}
