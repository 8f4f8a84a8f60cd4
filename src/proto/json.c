/* SPDX-License-Identifier: Apache-2.0 */
/* json-c does not always say that memory was short: then a piece of a text is missing. The C
 * library does, in errno. */
#include "proto/json.h"

#include "basic/bounds.h"
#include "proto/text.h"

static struct json_tokener *new_tokener(void) {
    struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX);

    if (t)
        json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    return t;
}

static bool is_blank_from(const char *text, size_t size, size_t from) {
    for (size_t i = from; i < size; i++)
        if (text[i] == 0 || !strchr(" \t\r\n", text[i]))
            return false;
    return true;
}

static int parse(struct json_tokener *t, const char *text, size_t size, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = NULL;
    enum json_tokener_error error;

    if (size > INT32_MAX)
        return -EFBIG;
    errno = 0;
    o = json_tokener_parse_ex(t, text, (int)size);
    error = json_tokener_get_error(t);
    if (errno == ENOMEM) /* it may have ended in the middle, as if that were all */
        return -ENOMEM;
    if (error == json_tokener_success && !is_blank_from(text, size, json_tokener_get_parse_end(t)))
        return -EBADMSG;
    if (error == json_tokener_continue) { /* a bare number ends where the text ends */
        o = json_tokener_parse_ex(t, "", 1);
        error = json_tokener_get_error(t);
    }
    if (errno == ENOMEM)
        return -ENOMEM;

    switch (error) {
    case json_tokener_success:
        if (!utf8_is_valid(text, size)) /* json-c lets overlong forms and surrogates through */
            return -EILSEQ;
        *ret = TAKE_PTR(o);
        return 0;
    case json_tokener_error_depth:
        return -ELOOP;
    case json_tokener_error_parse_utf8_string:
        return -EILSEQ;
    default:
        return -EBADMSG;
    }
}

int json_parse(const char *text, size_t size, struct json_object **ret) {
    static struct json_tokener *tokener; /* one for all texts: it is as large as some of them */

    if (tokener)
        json_tokener_reset(tokener);
    else
        tokener = new_tokener();
    return tokener ? parse(tokener, text, size, ret) : -ENOMEM;
}

int json_parse_in_thread(const char *text, size_t size, struct json_object **ret) {
    struct json_tokener *tokener = new_tokener();
    int r;

    if (!tokener)
        return -ENOMEM;
    r = parse(tokener, text, size, ret);
    json_tokener_free(tokener);
    return r;
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
    size_t size = 0;

    for (const char *p = text; *p; p++)
        size += strchr("\"\\\b\f\n\r\t", *p) ? 2 : (unsigned char)*p < ' ' ? strlen("\\u0000") : 1;
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
