/* SPDX-License-Identifier: Apache-2.0 */
/* Long lists, which come in parts. */
#pragma once

#include "dcm-manager/client.h"

/* Completes an answer whose list has the name of the method, or "lines" if that is "log", up to so
 * many rows: LINES_PRESET: none are missing, except of lists of agents; 0: all that there may
 * be. `key` and `value` (may be NULL) as in the first request. Returns as client_call(). */
int client_call_rest(Client *client, const char *method, const char *key, const char *value,
                     unsigned lines, struct json_object *answer);
