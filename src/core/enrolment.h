/* SPDX-License-Identifier: Apache-2.0 */
/* The secret that lets a new agent in without an operator's hand (docs/protocol, section 2). It
 * goes over the wire until the manager has accepted this agent, and never into a log. */
#pragma once

#include "basic/bounds.h"
#include "basic/sha256.h"
#include "core/config.h"
#include "store/store.h"

typedef struct Enrolment {
    char
        mark[SHA256_HEX_SIZE]; /* of the secret in the last offer, for whom and to whom; "": none */
    int error;                 /* of the last attempt to read it, which is logged once */
} Enrolment;

/* Of [connection], or else of the credential of that name. "": there is none, it cannot be used, or
 * this manager has accepted this agent already. The caller clears it. */
void enrolment_get(Enrolment *e, const Config *config, Store *store, const char *token,
                   char ret[static ENROLMENT_TOKEN_SIZE_MAX + 1]);
/* The manager has accepted the last offer. */
void enrolment_note_accepted(Enrolment *e, Store *store);
