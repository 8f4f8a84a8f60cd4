/* SPDX-License-Identifier: Apache-2.0 */
/* Checks texts with which a peer identifies itself or this program. They are kept, logged, shown
 * and passed to systemd, so they are checked once, on arrival (docs/protocol, section 2). */
#pragma once

#include "proto/json.h"

/* Returns NULL for a text of at most PEER_TEXT_MAX bytes in valid UTF-8 without control characters
 * (C0, DEL, C1). Otherwise returns the fault, a static text that follows the name of the field:
 * "has control characters". */
const char *peer_text_fault(const char *text, size_t size);

/* Gets a field that is a text, or a number in its decimal form. *ret belongs to `o`, and is NULL if
 * the field is absent, null or empty. Returns NULL or the fault, as above; with a fault *ret is
 * NULL. */
const char *peer_text_take(struct json_object *o, const char *key, const char **ret);

/* Checks every text in a value of any type, including the names of keys. */
const char *peer_text_fault_within(struct json_object *value);
