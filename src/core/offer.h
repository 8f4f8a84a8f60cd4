/* SPDX-License-Identifier: Apache-2.0 */
/* What this agent says of itself in the handshake (docs/protocol, section 2). */
#pragma once

#include "core/config.h"
#include "system/cloud-identity.h"
#include "system/platform.h"

/* an id that the manager gave to this server beforehand */
#define ENVIRONMENT_INJECTED_ID "DCM_AGENT_INJECTED_ID"

typedef struct OfferFacts {
    const Config *config;
    const Platform *platform;
    const char *token;
    const char *agent_id;    /* NULL: none assigned yet */
    const char *injected_id; /* that is remembered; or NULL */
    const CloudIdentity *cloud;
    const char *local_address; /* of this connection; "" where it is not known */
} OfferFacts;

/* Built anew for each connection, as addresses change. The caller frees the text, which has the
 * token in it: explicit_bzero() first. */
int offer_make(const OfferFacts *facts, char **ret, size_t *ret_size);
