/* SPDX-License-Identifier: Apache-2.0 */
/* json-c does not always report lack of memory: then part of a text is missing. The C library
 * reports it in errno. */
#include "proto/json.h"

#include "basic/bounds.h"
#include "proto/json-check.h"

#define INTEGER_EXACT_MAX 0x1p53       /* a double cannot represent all integers beyond this */
#define DEPTH_MAX (2 * JSON_DEPTH_MAX) /* of text that was within the bounds when it arrived */

/* Builds objects from a text that json_check() has accepted. Uses no flags of json-c, because their
 * meaning changes between versions. */
static int build(const char *text, size_t size, struct json_object **ret) {
    struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX + 1);
    _cleanup_json_ struct json_object *o = NULL;
    enum json_tokener_error error;

    if (!t)
        return -ENOMEM;
    errno = 0;
    o = json_tokener_parse_ex(t, text, (int)size);
    error = json_tokener_get_error(t);
    if (error == json_tokener_continue && errno != ENOMEM) {
        /* a bare number ends where the text ends */
        o = json_tokener_parse_ex(t, "", 1);
        error = json_tokener_get_error(t);
    }
    json_tokener_free(t);
    if (errno == ENOMEM) /* the object may be incomplete */
        return -ENOMEM;
    if (error != json_tokener_success)
        return -EBADMSG;
    *ret = TAKE_PTR(o);
    return 0;
}

static int parse(const char *text, size_t size, unsigned depth_max, uint64_t memory_max,
                 struct json_object **ret) {
    if (size > INT32_MAX)
        return -EFBIG;
    TRY(json_check(text, size, depth_max, memory_max));
    return build(text, size, ret);
}

int json_parse(const char *text, size_t size, struct json_object **ret) {
    return parse(text, size, JSON_DEPTH_MAX, JSON_MEMORY_MAX, ret);
}

int json_parse_part(const char *text, size_t size, struct json_object **ret) {
    return parse(text, size, JSON_DEPTH_MAX - JSON_ENVELOPE_DEPTH,
                 JSON_MEMORY_MAX - JSON_ENVELOPE_MEMORY, ret);
}

int json_parse_small(const char *text, size_t size, struct json_object **ret) {
    return parse(text, size, JSON_DEPTH_MAX, JSON_SMALL_MEMORY, ret);
}

int json_parse_stored(const char *text, size_t size, struct json_object **ret) {
    return parse(text, size, DEPTH_MAX, UINT64_MAX, ret);
}

const char *json_to_text(struct json_object *o, size_t *ret_size) {
    const char *text;

    errno = 0;
    text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, ret_size);
    return errno == ENOMEM || errno == EFBIG ? NULL : text;
}

int json_encode(struct json_object *o, char **ret, size_t *ret_size) {
    const char *text;
    char *copy;
    size_t size;

    text = json_to_text(o, &size);
    if (!text)
        return -ENOMEM;
    copy = malloc(size + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, text, size + 1);
    *ret = copy;
    if (ret_size)
        *ret_size = size;
    return 0;
}

size_t json_string_size(const char *text) {
    /* bytes beyond the first; a table, because a reply of megabytes is measured several times */
    static const uint8_t more[256] = {
        [1 ... 7] = 5,   ['\b' ... '\n'] = 1, [11] = 5,   ['\f' ... '\r'] = 1,
        [14 ... 31] = 5, ['"'] = 1,           ['\\'] = 1,
    };
    size_t size = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        size += 1u + more[*p];
    return size;
}

struct json_object *json_get(struct json_object *o, const char *key) {
    struct json_object *value = NULL;

    if (!json_object_is_type(o, json_type_object))
        return NULL;
    return json_object_object_get_ex(o, key, &value) ? value : NULL;
}

const char *json_get_string(struct json_object *o, const char *key) {
    struct json_object *value = json_get(o, key);
    const char *s;

    if (!json_object_is_type(value, json_type_string))
        return NULL;
    s = json_object_get_string(value);
    return strlen(s) == (size_t)json_object_get_string_len(value) ? s : NULL;
}

const char *json_get_scalar(struct json_object *o, const char *key) {
    struct json_object *value = json_get(o, key);

    switch (json_object_get_type(value)) {
    case json_type_string:
        return json_get_string(o, key);
    case json_type_int:
    case json_type_double:
        return json_object_get_string(value);
    default:
        return NULL;
    }
}

int json_to_integer(struct json_object *value, int64_t *ret) {
    double number;

    if (json_object_is_type(value, json_type_int)) {
        *ret = json_object_get_int64(value);
        return 0;
    }
    if (!json_object_is_type(value, json_type_double))
        return -EINVAL;
    number = json_object_get_double(value);
    if (!(number >= -INTEGER_EXACT_MAX && number <= INTEGER_EXACT_MAX) ||
        number != (double)(int64_t)number)
        return -EINVAL;
    *ret = (int64_t)number;
    return 0;
}

int json_add(struct json_object *o, const char *key, struct json_object *value) {
    if (!value)
        return -ENOMEM;
    if (json_object_object_add(o, key, value) < 0) {
        (void)json_object_put(value);
        return -ENOMEM;
    }
    return 0;
}

int json_add_null(struct json_object *o, const char *key) {
    return json_object_object_add(o, key, NULL) < 0 ? -ENOMEM : 0;
}

int json_add_string(struct json_object *o, const char *key, const char *value) {
    return value ? json_add(o, key, json_object_new_string(value)) : json_add_null(o, key);
}

int json_add_int(struct json_object *o, const char *key, int64_t value) {
    return json_add(o, key, json_object_new_int64(value));
}

int json_add_bool(struct json_object *o, const char *key, bool value) {
    return json_add(o, key, json_object_new_boolean(value));
}
