/* SPDX-License-Identifier: Apache-2.0 */
/* Waits between connection attempts (docs/protocol, section 1). Pure: randomness is given, uniform
 * over all its values. */
#pragma once

#include "basic/macro.h"

/* What ended an attempt, or a connection that the manager had accepted. */
typedef enum BackoffCause {
    BACKOFF_FAILED, /* it was never accepted */
    BACKOFF_SHORT,  /* accepted, and over before it was stable */
    BACKOFF_LOST,   /* stable, and given up by the agent */
    BACKOFF_ENDED,  /* stable, and ended by the manager */
} BackoffCause;

typedef struct Backoff {
    uint64_t initial_usec;
    uint64_t max_usec;
    uint64_t current_usec; /* of the next failure */
    uint64_t flap_usec;    /* of the next short connection, beyond the first few */
    unsigned n_short;      /* in a row */
} Backoff;

void backoff_init(Backoff *b, uint64_t initial_usec, uint64_t max_usec);
/* The manager has accepted the agent, or said something. */
void backoff_reset(Backoff *b);

/* More connections in a row than accidents explain were accepted and soon over. */
bool backoff_is_flapping(const Backoff *b) _pure_;

/* How long to wait:
 * FAILED, LOST  uniform in [w/2, w] for a w that doubles up to the maximum;
 * SHORT         likewise, from the fourth in a row on with a w that no acceptance resets;
 * ENDED         uniform in [0, 5 w] for the first w, as all agents of a manager that is restarted
 *               see this at the same time (RFC 6455, section 7.2.3);
 * and at least uniform in [f, 1.1 f] for a pause f that the manager asked for. */
uint64_t backoff_next(Backoff *b, BackoffCause cause, uint64_t forced_usec, uint32_t random);
