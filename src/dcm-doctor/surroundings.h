/* SPDX-License-Identifier: Apache-2.0 */
/* Data from systemd and the running agent, so that the proxy settings of the service are tested,
 * not those of the caller. */
#pragma once

#include "basic/macro.h"

typedef struct Surroundings {
    bool is_masked;     /* systemd must not start the service */
    bool is_enabled;    /* it starts at boot */
    bool is_paused;     /* by the owner; new jobs do not start */
    char *last_status;  /* what the service said before it stopped; NULL: nothing */
    char *active_state; /* of the unit: "active", "failed", ...; NULL: not known */
    int exit_status;    /* of the last process of the service; 0: none, or well */
    bool has_unit;      /* systemd knows dcm-agent.service */
    bool is_running;    /* the agent answers on the bus */
    bool is_connected;  /* to its manager */
    char *status;       /* its status text */
    char **environment; /* of the unit, "NAME=VALUE"; NULL: empty */
} Surroundings;

/* Without a bus everything stays unknown. The only error is -ENOMEM. */
int surroundings_read(Surroundings *ret);
void surroundings_done(Surroundings *s);

/* A variable of the unit, or of this process if the unit's environment is unknown. */
const char *surroundings_get(const Surroundings *s, const char *name);
