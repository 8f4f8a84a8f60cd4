/* SPDX-License-Identifier: Apache-2.0 */
/* Which address has most of the connections that are looked for together, and which one is next:
 * answered without a walk over them. */
#pragma once

#include "dcm-manager/address-heap.h"

typedef enum GuestGroup {
    GUEST_SILENT,  /* WAITING, and its first bytes have not come yet */
    GUEST_KNOCKED, /* WAITING for a place in the handshake */
    GUEST_UNUSED,  /* ACCEPTED, and no operator has named the agent or ordered something */
    _GUEST_GROUP_MAX,
    GUEST_NONE = _GUEST_GROUP_MAX,
} GuestGroup;

typedef enum CrowdOrder {
    CROWD_SILENT,
    CROWD_KNOCKED,
    CROWD_NEXT,
    CROWD_UNUSED,
    _CROWD_MAX,
} CrowdOrder;

/* A connection, to be embedded. */
typedef struct Guest Guest;
struct Guest {
    Guest *previous, *next; /* in its group of its address */
    GuestGroup group;       /* GUEST_NONE at first */
    PeerAddress *address;
    uint64_t arrived_usec; /* CLOCK_BOOTTIME */
};

typedef struct Crowds {
    AddressHeap orders[_CROWD_MAX];
    unsigned n[_GUEST_GROUP_MAX];
} Crowds;

void crowds_init(Crowds *c);
void crowds_done(Crowds *c);
/* Makes room for so many addresses. */
int crowds_reserve(Crowds *c, size_t n);
/* Leaves its group, if it has one, and joins that one. */
void crowds_join(Crowds *c, Guest *g, GuestGroup group);
/* To be called whenever the numbers of the address have changed. */
void crowds_update(Crowds *c, PeerAddress *a);

/* Each NULL if there is none. */
Guest *crowds_silent(const Crowds *c) _pure_;  /* the oldest of the address with most of them */
Guest *crowds_knocked(const Crowds *c) _pure_; /* the newest of the address with most of them */
Guest *crowds_unused(const Crowds *c) _pure_;  /* one of the address with most agents */
/* The oldest that knocked of the address with the fewest handshakes. */
Guest *crowds_next(const Crowds *c) _pure_;
