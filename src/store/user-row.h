/* SPDX-License-Identifier: Apache-2.0 */
/* Users of this server that the agent has created. */
#pragma once

#include "store/store.h"

typedef struct StoredUser {
    const char *name;
    const char *agent_id; /* at creation; may be NULL */
    bool is_administrator;
    uint64_t created_usec; /* CLOCK_REALTIME, for people */
} StoredUser;

/* An existing row keeps its owner and its date. */
int store_add_user(Store *s, const StoredUser *user);
int store_remove_user(Store *s, const char *name);
/* Whether the agent has created the user. */
int store_has_user(Store *s, const char *name);
/* Visits by name. A result other than 0 ends the visit; a negative one is returned. */
int store_visit_users(Store *s, int (*visit)(const StoredUser *user, void *userdata),
                      void *userdata);
