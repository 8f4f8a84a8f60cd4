/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow by doubling. */
#pragma once

#include "basic/macro.h"

static inline int array_reserve_bytes(void **items, size_t *allocated, size_t n, size_t n_max,
                                      size_t size) {
    size_t wanted = MIN(MAX(MAX(*allocated * 2, n), (size_t)8), n_max);
    void *grown;

    if (n <= *allocated)
        return 0;
    if (n > n_max)
        return -ENOBUFS;
    grown = reallocarray(*items, wanted, size);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    *allocated = wanted;
    return 0;
}

/* Grows the array *items, which has room for *allocated items, to at least n. -ENOBUFS: n is more
 * than n_max; -ENOMEM; both leave the array unchanged. */
#define array_reserve(items, allocated, n, n_max)                                                  \
    array_reserve_bytes((void **)(items), (allocated), (n), (n_max), sizeof(**(items)))
