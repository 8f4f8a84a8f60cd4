/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a list that a request asks for, and its answer. */
#pragma once

#include "dcm-manager/control-client.h"
#include "dcm-manager/ledger.h"

/* `n` rows unless the request says how many. False: the client has been answered with an error. */
bool control_take_page(ControlClient *client, struct json_object *request, int64_t n,
                       LedgerPage *ret);
/* For a list of ledger_list_parts(): why there is none, and the answer, NULL without memory. Takes
 * ownership of both; `next` may be NULL. */
void control_fail_part(ControlClient *client, int error);
struct json_object *control_part(const char *key, struct json_object *list,
                                 struct json_object *next);
/* Takes ownership of the list. */
void control_reply_page(ControlClient *client, const char *key, struct json_object *list,
                        const LedgerPage *page);
