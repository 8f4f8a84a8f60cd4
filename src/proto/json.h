/* SPDX-License-Identifier: Apache-2.0 */
/* json-c with the bounds of basic/bounds.h, and with negative errno as errors. */
#pragma once

#include <json-c/json.h>

#include "basic/macro.h"

static inline void json_object_putp(struct json_object **o) {
    if (*o)
        (void)json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_object_putp)

/* Parses one document from a peer (RFC 8259). -EBADMSG: not JSON; -ELOOP: nested deeper than
 * JSON_DEPTH_MAX; -E2BIG: its values would need more memory than JSON_MEMORY_MAX; -EILSEQ: not
 * UTF-8. The object belongs to the caller; it is NULL for the document `null`. */
int json_parse(const char *text, size_t size, struct json_object **ret);
/* The same for a future part of a message: leaves depth and memory for the message around it, so
 * that its receiver can parse the whole. */
int json_parse_part(const char *text, size_t size, struct json_object **ret);
/* The same for a handshake, or text from a job or a cloud, with at most JSON_SMALL_MEMORY. */
int json_parse_small(const char *text, size_t size, struct json_object **ret);
/* The same for text that this program has stored, which was within the bounds when it arrived. */
int json_parse_stored(const char *text, size_t size, struct json_object **ret);

/* Returns the text of an object, without blanks; it belongs to the object. NULL: no memory. */
const char *json_to_text(struct json_object *o, size_t *ret_size);
/* The same; returns a copy that the caller frees. */
int json_encode(struct json_object *o, char **ret, size_t *ret_size);
/* Size in bytes of a text as a JSON string, without the quotes. */
size_t json_string_size(const char *text) _pure_;

/* These return NULL if the key is absent or its value has another type. A string with a NUL in it
 * counts as absent. The result belongs to the object. */
struct json_object *json_get(struct json_object *o, const char *key);
const char *json_get_string(struct json_object *o, const char *key);
/* The same, and accepts numbers in their decimal form. */
const char *json_get_scalar(struct json_object *o, const char *key);

/* Accepts whole numbers, also those with a fraction or an exponent (1.0, 1e3), since JSON does not
 * distinguish them. -EINVAL: anything else, NULL included. */
int json_to_integer(struct json_object *value, int64_t *ret);

/* Each adds one key and returns 0 or -ENOMEM. json_add() takes ownership of `value`, also on
 * failure; it fails if `value` is NULL, the result of a json_object_new_*() without memory. */
int json_add(struct json_object *o, const char *key, struct json_object *value);
int json_add_null(struct json_object *o, const char *key);
int json_add_string(struct json_object *o, const char *key, const char *value); /* NULL: null */
int json_add_int(struct json_object *o, const char *key, int64_t value);
int json_add_bool(struct json_object *o, const char *key, bool value);
