/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's message in the handshake (docs/protocol, section 2). */
#pragma once

#include "core/config.h"
#include "system/cloud-identity.h"
#include "system/platform.h"

/* an id that was assigned to this server in advance */
#define ENVIRONMENT_INJECTED_ID "DCM_AGENT_INJECTED_ID"

typedef struct OfferFacts {
    const Config *config;
    const Platform *platform;
    const char *token;
    const char *enrolment_token; /* NULL: none */
    const char *agent_id;        /* NULL: none assigned yet */
    const char *injected_id;     /* the stored one; may be NULL */
    const CloudIdentity *cloud;
    const char *local_address; /* of this connection; "" while unknown */
} OfferFacts;

/* Made again for each connection, because addresses change. The caller frees the text, which
 * contains the tokens: explicit_bzero() first. */
int offer_make(const OfferFacts *facts, char **ret, size_t *ret_size);
