/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/backoff.h"

void backoff_init(Backoff *b, uint64_t initial_usec, uint64_t max_usec) {
    *b = (Backoff){
        .initial_usec = MIN(initial_usec, max_usec),
        .max_usec = max_usec,
        .current_usec = MIN(initial_usec, max_usec),
    };
}

void backoff_reset(Backoff *b) {
    b->current_usec = b->initial_usec;
}

static uint64_t scale(uint64_t usec, uint32_t random) {
    return (uint64_t)((double)usec * ((double)random / (double)UINT32_MAX));
}

uint64_t backoff_next(Backoff *b, uint32_t random) {
    uint64_t wait = b->current_usec;

    b->current_usec = wait > b->max_usec / 2 ? b->max_usec : wait * 2;
    return wait - wait / 2 + scale(wait / 2, random);
}

uint64_t backoff_forced(uint64_t wait_usec, uint32_t random) {
    return wait_usec + scale(wait_usec / 10, random);
}
