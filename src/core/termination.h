/* SPDX-License-Identifier: Apache-2.0 */
/* Executes the order `terminate`: when the manager has the reply, or has not acknowledged it for
 * half a minute, the script `terminate` runs as a job. */
#pragma once

#include <systemd/sd-bus.h>

#include "request/request.h"

typedef struct Termination Termination;

/* Looks in the store for an earlier order. `jobs_root` must outlive it. `leave` stops the agent if
 * the script failed and the order said to ignore errors. */
int termination_new(sd_event *event, Store *store, const char *jobs_root,
                    void (*leave)(void *userdata), void *userdata, Termination **ret);
Termination *termination_free(Termination *t);
/* Whether the manager has ordered it, and the agent is to end. */
bool termination_is_ordered(const Termination *t) _pure_;
int termination_set_bus(Termination *t, sd_bus *bus);

/* A request has entered this state durably. */
void termination_request_changed(Termination *t, const Request *q, RequestState state);
