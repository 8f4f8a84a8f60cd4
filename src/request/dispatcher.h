/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the manager's messages into events of requests. */
#pragma once

#include "alert/alerts.h"
#include "job/console.h"
#include "request/request-flow.h"

typedef struct Dispatcher Dispatcher;

int dispatcher_new(RequestFlow *flow, Alerts *alerts, Console *console,
                   void (*on_hemlock)(void *userdata), void *userdata, Dispatcher **ret);
Dispatcher *dispatcher_free(Dispatcher *d);

/* The manager's UNREGISTER_ACK, or a NACK, which `is_known` tells; true: it is the answer to what
 * was sent. */
typedef bool (*DispatcherFarewell)(const char *request_id, bool is_known, void *userdata);
void dispatcher_set_on_farewell(Dispatcher *d, DispatcherFarewell on_farewell, void *userdata);

/* While the owner has paused this server with --refuse, new jobs are refused temporarily. */
void dispatcher_set_refusing(Dispatcher *d, bool refusing);
/* Limit of requests in progress; -1: none. */
void dispatcher_set_max_at_once(Dispatcher *d, int64_t max_at_once);

/* Handles one message of the manager; never fails: answers an invalid message with a NACK. */
void dispatcher_message(Dispatcher *d, const char *text, size_t size, bool is_text);
