/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer says of itself or of us, and that is kept, logged, shown or told to systemd: its
 * texts are checked here, where they come in, and nowhere else (docs/protocol, section 2). */
#pragma once

#include "proto/json.h"

/* NULL: a text of at most PEER_TEXT_MAX bytes, valid UTF-8 and without control characters (C0, DEL,
 * C1). Else what is wrong with it, a static text that follows the name of the field: "has control
 * characters". */
const char *peer_text_fault(const char *text, size_t size);

/* A field that is a text, or a number, which counts in its decimal form. *ret belongs to `o`, and
 * is NULL where the field is absent, null or empty. Returns NULL or what is wrong, as above; *ret
 * is NULL then. */
const char *peer_text_take(struct json_object *o, const char *key, const char **ret);

/* The same for every text in a value of any type, names of its keys included. */
const char *peer_text_fault_within(struct json_object *value);
