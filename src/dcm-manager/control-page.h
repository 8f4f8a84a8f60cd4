/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a list that a request asks for, and its answer. */
#pragma once

#include "dcm-manager/control-client.h"
#include "dcm-manager/ledger.h"

/* `n` rows unless the request says how many. False: the client has been answered with an error. */
bool control_take_page(ControlClient *client, struct json_object *request, int64_t n,
                       LedgerPage *ret);
/* Takes ownership of the list. */
void control_reply_page(ControlClient *client, const char *key, struct json_object *list,
                        const LedgerPage *page);
