/* SPDX-License-Identifier: Apache-2.0 */
/* json-c with our bounds, and with errors as negative errno. */
#pragma once

#include <json-c/json.h>

#include "basic/macro.h"

static inline void json_object_putp(struct json_object **o) {
    if (*o)
        (void)json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_object_putp)

/* Parses one document that a peer sent (RFC 8259). -EBADMSG: not JSON; -ELOOP: nested deeper
 * than JSON_DEPTH_MAX; -E2BIG: its values would take more memory than JSON_MEMORY_MAX; -EILSEQ:
 * not UTF-8. The object belongs to the caller; it is NULL for the document `null`. */
int json_parse(const char *text, size_t size, struct json_object **ret);
/* The same for what is to be a part of a message, so that its receiver can parse that. */
int json_parse_part(const char *text, size_t size, struct json_object **ret);
/* The same for a handshake, or what a job or a cloud says: JSON_SMALL_MEMORY at most. */
int json_parse_small(const char *text, size_t size, struct json_object **ret);
/* The same for what this program has stored: what was bounded when it came has no bound here. */
int json_parse_stored(const char *text, size_t size, struct json_object **ret);

/* The text of an object, without blanks; it belongs to the object. NULL: no memory. */
const char *json_to_text(struct json_object *o, size_t *ret_size);
/* The same, as a copy that the caller frees. */
int json_encode(struct json_object *o, char **ret, size_t *ret_size);
/* Bytes that a text takes as a JSON string, without its quotes. */
size_t json_string_size(const char *text) _pure_;

/* NULL where the key is absent or its value is not of that type. A string with a NUL in it counts
 * as absent. The result belongs to the object. */
struct json_object *json_get(struct json_object *o, const char *key);
const char *json_get_string(struct json_object *o, const char *key);
/* The same, but numbers are taken in their decimal form. */
const char *json_get_scalar(struct json_object *o, const char *key);

/* A whole number, also one that is written with a fraction or an exponent (1.0, 1e3), as JSON does
 * not tell the two apart. -EINVAL: anything else; also for NULL. */
int json_to_integer(struct json_object *value, int64_t *ret);

/* Each adds one key: 0 or -ENOMEM. json_add() takes over `value`, also when it fails; a NULL
 * `value` is what a json_object_new_*() without memory gave, and fails. */
int json_add(struct json_object *o, const char *key, struct json_object *value);
int json_add_null(struct json_object *o, const char *key);
int json_add_string(struct json_object *o, const char *key, const char *value); /* NULL: null */
int json_add_int(struct json_object *o, const char *key, int64_t value);
int json_add_bool(struct json_object *o, const char *key, bool value);
