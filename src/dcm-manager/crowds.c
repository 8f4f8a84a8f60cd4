/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/crowds.h"

static_assert(PEER_ADDRESS_GROUPS == _GUEST_GROUP_MAX, "a list for each group");
static_assert(PEER_ADDRESS_HEAPS == _CROWD_MAX, "a position in each order");

static bool has_more_silent(const PeerAddress *a, const PeerAddress *b) {
    const GuestList *x = &a->groups[GUEST_SILENT], *y = &b->groups[GUEST_SILENT];

    return x->n != y->n ? x->n > y->n : x->first->arrived_usec < y->first->arrived_usec;
}

/* Of equals the one that came last goes: it has waited the shortest. */
static bool has_more_knocked(const PeerAddress *a, const PeerAddress *b) {
    const GuestList *x = &a->groups[GUEST_KNOCKED], *y = &b->groups[GUEST_KNOCKED];

    return x->n != y->n ? x->n > y->n : x->last->arrived_usec > y->last->arrived_usec;
}

static bool is_sooner(const PeerAddress *a, const PeerAddress *b) {
    const Guest *x = a->groups[GUEST_KNOCKED].first, *y = b->groups[GUEST_KNOCKED].first;

    return a->n[PEER_SHAKING] != b->n[PEER_SHAKING] ? a->n[PEER_SHAKING] < b->n[PEER_SHAKING]
                                                    : x->arrived_usec < y->arrived_usec;
}

static bool has_more_agents(const PeerAddress *a, const PeerAddress *b) {
    return a->n[PEER_ACCEPTED] > b->n[PEER_ACCEPTED];
}

void crowds_init(Crowds *c) {
    static bool (*const orders[_CROWD_MAX])(const PeerAddress *a, const PeerAddress *b) = {
        [CROWD_SILENT] = has_more_silent,
        [CROWD_KNOCKED] = has_more_knocked,
        [CROWD_NEXT] = is_sooner,
        [CROWD_UNUSED] = has_more_agents,
    };

    *c = (Crowds){};
    for (unsigned i = 0; i < _CROWD_MAX; i++)
        c->orders[i] = (AddressHeap){.index = i, .is_before = orders[i]};
}

void crowds_done(Crowds *c) {
    for (unsigned i = 0; i < _CROWD_MAX; i++)
        address_heap_done(&c->orders[i]);
}

int crowds_reserve(Crowds *c, size_t n) {
    for (unsigned i = 0; i < _CROWD_MAX; i++)
        TRY(address_heap_reserve(&c->orders[i], n));
    return 0;
}

void crowds_update(Crowds *c, PeerAddress *a) {
    bool has_knocked = a->groups[GUEST_KNOCKED].n > 0;

    address_heap_set(&c->orders[CROWD_SILENT], a, a->groups[GUEST_SILENT].n > 0);
    address_heap_set(&c->orders[CROWD_KNOCKED], a, has_knocked);
    address_heap_set(&c->orders[CROWD_NEXT], a, has_knocked);
    address_heap_set(&c->orders[CROWD_UNUSED], a, a->groups[GUEST_UNUSED].n > 0);
}

static void leave(Crowds *c, Guest *g) {
    GuestList *list = &g->address->groups[g->group];

    *(g->previous ? &g->previous->next : &list->first) = g->next;
    *(g->next ? &g->next->previous : &list->last) = g->previous;
    g->previous = g->next = NULL;
    list->n--;
    c->n[g->group]--;
    g->group = GUEST_NONE;
}

static void join(Crowds *c, Guest *g, GuestGroup group) {
    GuestList *list = &g->address->groups[group];

    g->group = group;
    g->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = g;
    list->last = g;
    list->n++;
    c->n[group]++;
}

void crowds_join(Crowds *c, Guest *g, GuestGroup group) {
    if (g->group != GUEST_NONE)
        leave(c, g);
    if (group != GUEST_NONE)
        join(c, g, group);
    crowds_update(c, g->address);
}

static const PeerAddress *first(const Crowds *c, CrowdOrder order) {
    return address_heap_first(&c->orders[order]);
}

Guest *crowds_silent(const Crowds *c) {
    const PeerAddress *a = first(c, CROWD_SILENT);

    return a ? a->groups[GUEST_SILENT].first : NULL;
}

Guest *crowds_knocked(const Crowds *c) {
    const PeerAddress *a = first(c, CROWD_KNOCKED);

    return a ? a->groups[GUEST_KNOCKED].last : NULL;
}

Guest *crowds_unused(const Crowds *c) {
    const PeerAddress *a = first(c, CROWD_UNUSED);

    return a ? a->groups[GUEST_UNUSED].first : NULL;
}

Guest *crowds_next(const Crowds *c) {
    const PeerAddress *a = first(c, CROWD_NEXT);

    return a ? a->groups[GUEST_KNOCKED].first : NULL;
}
