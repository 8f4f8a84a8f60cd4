/* SPDX-License-Identifier: Apache-2.0 */
/* From the manager's messages to events of requests. */
#pragma once

#include "alert/alerts.h"
#include "job/console.h"
#include "request/request-flow.h"

typedef struct Dispatcher Dispatcher;

int dispatcher_new(RequestFlow *flow, Alerts *alerts, Console *console,
                   void (*on_hemlock)(void *userdata), void *userdata, Dispatcher **ret);
Dispatcher *dispatcher_free(Dispatcher *d);

/* The owner has paused this server: new jobs are refused for the time being. */
void dispatcher_set_refusing(Dispatcher *d, bool refusing);
/* How many requests may be at work at once; -1: no limit. */
void dispatcher_set_max_at_once(Dispatcher *d, int64_t max_at_once);

/* One message of the manager; never fails: what is wrong with it is answered by a NACK. */
void dispatcher_message(Dispatcher *d, const char *text, size_t size, bool is_text);
