/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of a REQUEST, made from a command line. */
#pragma once

#include "proto/json.h"

/* Adds "name=value" (a string) or "name:=json" (any JSON value). -EINVAL: neither, or invalid
 * JSON. */
int payload_add_argument(struct json_object *arguments, const char *text);
/* Adds b64script and checksum for a script. */
int payload_add_script(struct json_object *arguments, const char *data, size_t size);
/* Takes ownership of `arguments`, also on failure. */
int payload_new(const char *command, struct json_object *arguments, bool long_runner,
                struct json_object **ret);
