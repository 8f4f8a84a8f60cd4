/* SPDX-License-Identifier: Apache-2.0 */
/* Data from systemd and the running agent, so that the proxy settings of the service are tested,
 * not those of the caller. */
#pragma once

#include "cli/service-state.h"

typedef struct Surroundings {
    ServiceState service;
    bool was_root;      /* who called; the agent's user has looked since */
    bool has_unit;      /* systemd knows dcm-agent.service */
    bool is_paused;     /* by the owner; new jobs do not start */
    bool is_running;    /* the agent answers on the bus */
    bool is_connected;  /* to its manager */
    bool is_refused;    /* the manager refused its last handshake */
    bool is_full;       /* its database cannot be written */
    bool is_idle;       /* its jobs cannot be started */
    bool is_astray;     /* it is not connected, and says why */
    char *status;       /* its status text */
    char **environment; /* of the unit, "NAME=VALUE"; NULL: empty */
} Surroundings;

/* Without a bus everything stays unknown. The only error is -ENOMEM. */
int surroundings_read(Surroundings *ret);
void surroundings_done(Surroundings *s);

/* A variable of the unit, or of this process if the unit's environment is unknown. */
const char *surroundings_get(const Surroundings *s, const char *name);
