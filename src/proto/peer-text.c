/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/peer-text.h"

#include "basic/bounds.h"
#include "proto/text.h"

/* Expects valid UTF-8, in which c2 begins U+0080 to U+00BF. */
static bool has_control_characters(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
            return true;
    }
    return false;
}

const char *peer_text_fault(const char *text, size_t size) {
    static_assert(PEER_TEXT_MAX == 512, "the text below says so");

    if (size > PEER_TEXT_MAX)
        return "is longer than 512 bytes";
    if (memchr(text, 0, size))
        return "has control characters";
    if (!utf8_is_valid(text, size))
        return "is not valid UTF-8";
    return has_control_characters(text, size) ? "has control characters" : NULL;
}

const char *peer_text_take(struct json_object *o, const char *key, const char **ret) {
    struct json_object *value = json_get(o, key);
    const char *fault, *text;

    *ret = NULL;
    if (!value)
        return NULL;
    if (json_object_is_type(value, json_type_string))
        fault = peer_text_fault_within(value);
    else
        fault = json_get_scalar(o, key) ? NULL : "is not a text";
    if (fault)
        return fault;
    text = json_object_get_string(value);
    if (!text)
        return "is not a text";
    *ret = isempty(text) ? NULL : text;
    return NULL;
}

static const char *fault_in_object(struct json_object *o) {
    const char *fault = NULL;
    struct json_object_iterator i = json_object_iter_begin(o), end = json_object_iter_end(o);

    for (; !fault && !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *name = json_object_iter_peek_name(&i);

        fault = peer_text_fault(name, strlen(name))
                    ?: peer_text_fault_within(json_object_iter_peek_value(&i));
    }
    return fault;
}

/* The recursion is at most JSON_DEPTH_MAX deep. */
const char *peer_text_fault_within(struct json_object *value) {
    const char *fault = NULL;

    switch (json_object_get_type(value)) {
    case json_type_string:
        return peer_text_fault(json_object_get_string(value),
                               (size_t)json_object_get_string_len(value));
    case json_type_array:
        for (size_t i = 0; !fault && i < json_object_array_length(value); i++)
            fault = peer_text_fault_within(json_object_array_get_idx(value, i));
        return fault;
    case json_type_object:
        return fault_in_object(value);
    default:
        return NULL;
    }
}
