/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses in an order: the first one is known at once, and a change costs the logarithm of their
 * number. */
#pragma once

#include "dcm-manager/peer-address.h"

typedef struct AddressHeap {
    PeerAddress **items;
    size_t n, allocated;
    unsigned index; /* of its position in PeerAddress.positions */
    bool (*is_before)(const PeerAddress *a, const PeerAddress *b);
} AddressHeap;

void address_heap_done(AddressHeap *h);
/* Makes room for so many addresses. */
int address_heap_reserve(AddressHeap *h, size_t n);
/* Puts the address into its place, or takes it out: after each change of what the order depends
 * on. */
void address_heap_set(AddressHeap *h, PeerAddress *a, bool is_member);
/* NULL: there is none. */
PeerAddress *address_heap_first(const AddressHeap *h) _pure_;
