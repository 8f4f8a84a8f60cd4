/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that are filled anew at each reading, and keep their memory. */
#pragma once

#include "basic/macro.h"

/* Makes room for one more of `size` bytes behind the first n; -ENOBUFS: there are n_max. */
static inline int table_reserve(void **items, size_t *allocated, size_t n, size_t size,
                                size_t n_max) {
    size_t wanted;
    void *grown;

    if (n < *allocated)
        return 0;
    if (n >= n_max)
        return -ENOBUFS;
    wanted = MIN(MAX(n * 2, (size_t)8), n_max);
    grown = realloc(*items, wanted * size);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    *allocated = wanted;
    return 0;
}
