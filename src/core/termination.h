/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the agent that `terminate` has ordered: when the manager has the reply, or has not
 * acknowledged it for half a minute, the script `terminate` is run as a job. */
#pragma once

#include <systemd/sd-bus.h>

#include "request/request.h"

typedef struct Termination Termination;

/* Looks in the store whether it was ordered before. `jobs_root` must outlive it. `leave` ends the
 * agent, where the script could not and that was to be ignored. */
int termination_new(sd_event *event, Store *store, const char *jobs_root,
                    void (*leave)(void *userdata), void *userdata, Termination **ret);
Termination *termination_free(Termination *t);
int termination_set_bus(Termination *t, sd_bus *bus);

/* A request has entered that state, durably. */
void termination_request_changed(Termination *t, const Request *q, RequestState state);
