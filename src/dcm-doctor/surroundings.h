/* SPDX-License-Identifier: Apache-2.0 */
/* What systemd and the running agent say, so that the service's own proxy settings are looked at
 * and not those of whoever asks. */
#pragma once

#include "basic/macro.h"

typedef struct Surroundings {
    bool has_unit;      /* systemd knows dcm-agent.service */
    bool is_running;    /* the agent answers on the bus */
    bool is_connected;  /* to its manager */
    char *status;       /* its status text */
    char **environment; /* of the unit, "NAME=VALUE"; NULL: empty */
} Surroundings;

/* Without a bus everything stays unknown. -ENOMEM alone is an error. */
int surroundings_read(Surroundings *ret);
void surroundings_done(Surroundings *s);

/* A variable of the unit, or, where that is not known, of our own environment. */
const char *surroundings_get(const Surroundings *s, const char *name);
