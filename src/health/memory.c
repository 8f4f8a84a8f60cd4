/* SPDX-License-Identifier: Apache-2.0 */
#include "health/memory.h"

#include "health/scan.h"

enum { TOTAL, FREE, AVAILABLE, BUFFERS, CACHED, RECLAIMABLE, SWAP_TOTAL, SWAP_FREE, N_KEYS };

static const char *const keys[N_KEYS] = {
    [TOTAL] = "MemTotal:",       [FREE] = "MemFree:",       [AVAILABLE] = "MemAvailable:",
    [BUFFERS] = "Buffers:",      [CACHED] = "Cached:",      [RECLAIMABLE] = "SReclaimable:",
    [SWAP_TOTAL] = "SwapTotal:", [SWAP_FREE] = "SwapFree:",
};

/* The first line of a key counts. */
static void parse_line(const char *line, uint64_t values[N_KEYS], unsigned *found) {
    for (size_t i = 0; i < N_KEYS; i++) {
        size_t size = strlen(keys[i]);
        const char *p = line + size;
        uint64_t kib;

        if ((*found & (1u << i)) || strncmp(line, keys[i], size) != 0)
            continue;
        if (scan_u64(&p, &kib) && !__builtin_mul_overflow(kib, (uint64_t)1024, &values[i]))
            *found |= 1u << i;
        return;
    }
}

static uint64_t subtract(uint64_t from, uint64_t what) {
    return from - MIN(from, what);
}

int memory_parse(const char *text, Memory *ret) {
    uint64_t v[N_KEYS] = {};
    unsigned found = 0;

    for (const char *line = text; line; line = scan_next_line(line))
        parse_line(line, v, &found);
    if (!(found & (1u << TOTAL)) || !(found & (1u << FREE)))
        return -EBADMSG;
    *ret = (Memory){
        .total = v[TOTAL],
        .free = MIN(v[FREE], v[TOTAL]),
        .swap_total = v[SWAP_TOTAL],
        .swap_used = subtract(v[SWAP_TOTAL], v[SWAP_FREE]),
    };
    ret->cache = MIN(subtract(ret->total, ret->free), v[BUFFERS]);
    ret->cache += MIN(ret->total - ret->free - ret->cache, v[CACHED]);
    ret->cache += MIN(ret->total - ret->free - ret->cache, v[RECLAIMABLE]);
    ret->used = ret->total - ret->free - ret->cache;
    /* kernels before 3.14 have no estimate */
    ret->available =
        found & (1u << AVAILABLE) ? MIN(v[AVAILABLE], ret->total) : ret->free + ret->cache;
    return 0;
}
