/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/backoff.h"

#define SHORT_FREE 3   /* so many short connections in a row count as accidents */
#define ENDED_SPREAD 5 /* times the first wait */

void backoff_init(Backoff *b, uint64_t initial_usec, uint64_t max_usec) {
    initial_usec = MIN(initial_usec, max_usec);
    *b = (Backoff){
        .initial_usec = initial_usec,
        .max_usec = max_usec,
        .current_usec = initial_usec,
        .flap_usec = initial_usec,
    };
}

void backoff_reset(Backoff *b) {
    b->current_usec = b->initial_usec;
}

bool backoff_is_flapping(const Backoff *b) {
    return b->n_short > SHORT_FREE;
}

static uint64_t scale(uint64_t usec, uint32_t random) {
    return (uint64_t)((double)usec * ((double)random / (double)UINT32_MAX));
}

static uint64_t jitter(uint64_t usec, uint32_t random) {
    return usec - usec / 2 + scale(usec / 2, random);
}

static uint64_t advance(const Backoff *b, uint64_t *w) {
    uint64_t wait = *w;

    *w = wait > b->max_usec / 2 ? b->max_usec : wait * 2;
    return wait;
}

static uint64_t after_ended(const Backoff *b, uint32_t random) {
    uint64_t most =
        b->initial_usec > b->max_usec / ENDED_SPREAD ? b->max_usec : b->initial_usec * ENDED_SPREAD;

    return scale(most, random);
}

uint64_t backoff_next(Backoff *b, BackoffCause cause, uint64_t forced_usec, uint32_t random) {
    uint64_t wait, flap = 0;

    if (cause == BACKOFF_ENDED || cause == BACKOFF_LOST) {
        b->n_short = 0;
        b->flap_usec = b->initial_usec;
    }
    if (cause == BACKOFF_ENDED)
        wait = after_ended(b, random);
    else
        wait = jitter(advance(b, &b->current_usec), random);
    if (cause == BACKOFF_SHORT && ++b->n_short > SHORT_FREE)
        flap = jitter(advance(b, &b->flap_usec), random);
    wait = MAX(wait, flap);
    return forced_usec > 0 ? MAX(wait, forced_usec + scale(forced_usec / 10, random)) : wait;
}
