/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap. The position of an address in it is kept there, plus 1; 0: it is no member. */
#include "dcm-manager/address-heap.h"

#include "basic/array.h"
#include "dcm-manager/limits.h"

void address_heap_done(AddressHeap *h) {
    free(h->items);
    h->items = NULL;
    h->n = h->allocated = 0;
}

int address_heap_reserve(AddressHeap *h, size_t n) {
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the items are pointers */
    return array_reserve(&h->items, &h->allocated, n, (size_t)SESSIONS_MAX + 1);
}

static void place(AddressHeap *h, size_t i, PeerAddress *a) {
    h->items[i] = a;
    a->positions[h->index] = (unsigned)i + 1;
}

static size_t rise(AddressHeap *h, size_t i) {
    PeerAddress *a = h->items[i];

    for (; i > 0 && h->is_before(a, h->items[(i - 1) / 2]); i = (i - 1) / 2)
        place(h, i, h->items[(i - 1) / 2]);
    place(h, i, a);
    return i;
}

static void sink(AddressHeap *h, size_t i) {
    PeerAddress *a = h->items[i];

    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->is_before(h->items[child + 1], h->items[child]))
            child++;
        if (!h->is_before(h->items[child], a))
            break;
        place(h, i, h->items[child]);
    }
    place(h, i, a);
}

static void take_out(AddressHeap *h, PeerAddress *a) {
    size_t i = a->positions[h->index] - 1;
    PeerAddress *last = h->items[--h->n];

    a->positions[h->index] = 0;
    if (last == a)
        return;
    place(h, i, last);
    sink(h, rise(h, i));
}

void address_heap_set(AddressHeap *h, PeerAddress *a, bool is_member) {
    unsigned position = a->positions[h->index];

    if (!is_member) {
        if (position > 0)
            take_out(h, a);
        return;
    }
    if (position == 0) {
        assert(h->n < h->allocated);
        place(h, h->n, a);
        position = (unsigned)++h->n;
    }
    sink(h, rise(h, position - 1));
}

PeerAddress *address_heap_first(const AddressHeap *h) {
    return h->n > 0 ? h->items[0] : NULL;
}
