/* SPDX-License-Identifier: Apache-2.0 */
/* What accepted agents say, and what is said to them. */
#pragma once

#include "dcm-manager/manager-peers.h"

void peer_take_message(Peer *p, const Message *m);
/* What would be repeated for ever is answered with words in its place; false: it is no such one. */
bool peer_take_unreadable(Peer *p, const Message *m, const char *why);
/* Sends what is open, and what is added later. */
int peer_start_delivery(Peer *p);
/* MESSAGE_STATUS or MESSAGE_CANCEL of a request. */
int peer_ask(Peer *p, MessageType type, const char *guid);
/* Tells the observer. */
void request_changed(Manager *m, const char *guid, OrderState state);
