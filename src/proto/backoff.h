/* SPDX-License-Identifier: Apache-2.0 */
/* Waits between connection attempts (docs/protocol, section 1). Pure: the caller passes a random
 * number, uniform over all values of its type. */
#pragma once

#include "basic/macro.h"

/* How an attempt, or a connection that the manager had accepted, ended. */
typedef enum BackoffCause {
    BACKOFF_FAILED, /* never accepted */
    BACKOFF_SHORT,  /* accepted, and ended before it was stable */
    BACKOFF_LOST,   /* stable, and closed by the agent */
    BACKOFF_ENDED,  /* stable, and closed by the manager */
} BackoffCause;

typedef struct Backoff {
    uint64_t initial_usec;
    uint64_t max_usec;
    uint64_t current_usec; /* of the next failure */
    uint64_t flap_usec;    /* of the next short connection, beyond the first few */
    unsigned n_short;      /* in a row */
} Backoff;

void backoff_init(Backoff *b, uint64_t initial_usec, uint64_t max_usec);
/* Call it when the manager has accepted the agent or sent a message. */
void backoff_reset(Backoff *b);

/* Whether more short connections occurred in a row than count as accidents. */
bool backoff_is_flapping(const Backoff *b) _pure_;

/* Computes the wait:
 *  FAILED, LOST  uniform in [w/2, w] for a w that doubles up to the maximum;
 *  SHORT         likewise; from the fourth in a row on for a w that no acceptance resets;
 *  ENDED         uniform in [0, 5 w] for the first w, because all agents of a manager lose their
 *                connections at the same time when it restarts (RFC 6455, section 7.2.3);
 *  and at least uniform in [f, 1.1 f] for a pause f that the manager requested. */
uint64_t backoff_next(Backoff *b, BackoffCause cause, uint64_t forced_usec, uint32_t random);
