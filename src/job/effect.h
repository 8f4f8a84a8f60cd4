/* SPDX-License-Identifier: Apache-2.0 */
/* The state that a successful command changes in the agent. Stored together with the reply, in one
 * transaction. */
#pragma once

#include "store/store.h"

typedef struct Effect {
    bool initialized; /* the server is initialized from now on */
    bool terminating; /* the agent will be removed once the manager has the reply ... */
    bool ignoring;    /* ... even if the script fails */
    char *user;       /* NULL: no user was added, changed or removed */
    bool user_is_there;
    bool is_administrator;
    char *stat;      /* NULL: no statistic was defined or removed */
    char *stat_type; /* NULL: the statistic was removed */
    uint64_t stat_hold;
    uint64_t stat_interval_usec;
} Effect;

void effect_done(Effect *e);
/* `guid` is that of the request. `agent_id` becomes the owner of a new user; it may be NULL. */
int effect_store(const Effect *e, Store *s, const char *guid, const char *agent_id);
