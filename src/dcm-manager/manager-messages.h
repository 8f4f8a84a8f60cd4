/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange of messages with accepted agents. */
#pragma once

#include "dcm-manager/manager-peers.h"

void peer_take_message(Peer *p, const Message *m);
/* Answers a message that the agent would otherwise repeat for ever with an error; false: it is not
 * of that kind. */
bool peer_take_unreadable(Peer *p, const Message *m, const char *why);
/* Sends all open requests, and later ones when they are added. */
int peer_start_delivery(Peer *p);
/* Sends MESSAGE_STATUS or MESSAGE_CANCEL for a request. */
int peer_ask(Peer *p, MessageType type, const char *guid);
/* Notifies the observer. */
void request_changed(Manager *m, const char *guid, OrderState state);
