/* SPDX-License-Identifier: Apache-2.0 */
/* The owner takes this agent away from its manager (dcm-agentctl unregister): the manager is told,
 * then the agent forgets its id and its token, and ends. */
#pragma once

#include "core/identity.h"
#include "net/connection.h"
#include "request/dispatcher.h"

typedef struct Farewell Farewell;

/* Called once, when id and token are forgotten. `error`: they could not be (negative errno), and
 * the agent goes on. `is_told`: the manager knows. */
typedef void (*FarewellDone)(int error, bool is_told, void *userdata);

int farewell_new(sd_event *event, Connection *connection, Store *store, RequestFlow *flow,
                 Dispatcher *dispatcher, Identity *identity, Farewell **ret);
/* One that has begun is done with -ECANCELED. */
Farewell *farewell_free(Farewell *f);

/* -EALREADY: it has begun. */
int farewell_begin(Farewell *f, FarewellDone done, void *userdata);
