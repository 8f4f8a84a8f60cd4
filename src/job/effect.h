/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent has to remember of a command that has done its work. It is stored with the reply,
 * in one transaction. */
#pragma once

#include "store/store.h"

typedef struct Effect {
    bool initialized; /* the server is, from now on */
    bool terminating; /* the agent is to go when the manager has the reply ... */
    bool ignoring;    /* ... whatever fails then */
    char *user;       /* NULL: none was added, changed or removed */
    bool user_is_there;
    bool is_administrator;
    char *stat;      /* NULL: no statistic was defined or removed */
    char *stat_type; /* NULL: it was removed */
    uint64_t stat_hold;
    uint64_t stat_interval_usec;
} Effect;

void effect_done(Effect *e);
/* Of that request. `agent_id` owns a user that is new; it may be NULL. */
int effect_store(const Effect *e, Store *s, const char *guid, const char *agent_id);
