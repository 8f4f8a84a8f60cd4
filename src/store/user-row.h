/* SPDX-License-Identifier: Apache-2.0 */
/* Users of this server that the agent has made. */
#pragma once

#include "store/store.h"

typedef struct StoredUser {
    const char *name;
    const char *agent_id; /* for which it was made; may be NULL */
    bool is_administrator;
    uint64_t created_usec; /* CLOCK_REALTIME, for people */
} StoredUser;

/* One that is there keeps its owner and its date. */
int store_add_user(Store *s, const StoredUser *user);
int store_remove_user(Store *s, const char *name);
/* Whether the agent has made it. */
int store_has_user(Store *s, const char *name);
/* By name. A result that is not 0 ends it; a negative one is returned. */
int store_visit_users(Store *s, int (*visit)(const StoredUser *user, void *userdata),
                      void *userdata);
