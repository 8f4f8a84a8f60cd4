/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the agent's messages. Queues nothing while there is no connection: the retransmission of
 * either side repeats lost messages. */
#pragma once

#include "net/connection.h"
#include "request/request.h"

typedef struct Sender Sender;

int sender_new(Connection *connection, Store *store, Sender **ret);
Sender *sender_free(Sender *s);
/* NULL: none assigned yet. Not copied. */
void sender_set_agent_id(Sender *s, const char *agent_id);
/* What STATUS answers say of a pause; "": the agent is not paused. Static. */
void sender_set_pause(Sender *s, const char *pause);

/* Failures are logged at debug level. */
void sender_ack(Sender *s, const Request *q);
void sender_nack(Sender *s, const char *request_id, const char *error_message);
/* Sends the stored reply. `again`: with the message_id of the previous sending. */
void sender_reply(Sender *s, Request *q, bool again);
void sender_status(Sender *s, const Request *q);
