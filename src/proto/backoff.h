/* SPDX-License-Identifier: Apache-2.0 */
/* Waits between connection attempts (docs/protocol, section 1). Pure: randomness is given. */
#pragma once

#include "basic/macro.h"

typedef struct Backoff {
    uint64_t initial_usec;
    uint64_t max_usec;
    uint64_t current_usec; /* of the next failure */
} Backoff;

void backoff_init(Backoff *b, uint64_t initial_usec, uint64_t max_usec);
void backoff_reset(Backoff *b);
/* Counts a failure; the wait is uniform in [w/2, w] for a w that doubles up to the maximum. */
uint64_t backoff_next(Backoff *b, uint32_t random);
/* A pause that the manager asked for: uniform in [w, 1.1 w], whatever the maximum is. */
uint64_t backoff_forced(uint64_t wait_usec, uint32_t random) _const_;
