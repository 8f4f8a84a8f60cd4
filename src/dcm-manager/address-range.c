/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/address-range.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define MAPPED_BITS 96u /* ::ffff:0:0/96 */
#define BITS 128u

static void map(const struct in_addr *a, uint8_t ret[static 16]) {
    memset(ret, 0, 10);
    ret[10] = ret[11] = 0xff;
    memcpy(ret + 12, a, sizeof(*a));
}

static unsigned get_bit(const uint8_t *bytes, unsigned i) {
    return bytes[i / 8] >> (7 - i % 8) & 1u;
}

int address_range_parse(const char *text, AddressRange *ret) {
    const char *slash = strchrnul(text, '/');
    char host[INET6_ADDRSTRLEN] = "", *end;
    AddressRange range = {.n_bits = BITS};
    unsigned long n = 0, n_max = BITS;
    struct in_addr v4;

    if ((size_t)(slash - text) >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, (size_t)(slash - text));
    if (inet_pton(AF_INET, host, &v4) == 1) {
        map(&v4, range.bytes);
        n_max = BITS - MAPPED_BITS;
    } else if (inet_pton(AF_INET6, host, range.bytes) != 1)
        return -EINVAL;
    if (*slash) {
        n = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || n > n_max)
            return -EINVAL;
        range.n_bits = (unsigned)(BITS - n_max + n);
    }
    for (unsigned i = range.n_bits; i < BITS; i++)
        if (get_bit(range.bytes, i))
            return -EINVAL;
    *ret = range;
    return 0;
}

bool address_range_has(const AddressRange *range, const struct sockaddr_storage *address) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    uint8_t bytes[16];

    if (address->ss_family == AF_INET)
        map(&((const struct sockaddr_in *)address)->sin_addr, bytes);
    else if (address->ss_family == AF_INET6)
        memcpy(bytes, &v6->sin6_addr, sizeof(bytes));
    else
        return false;
    for (unsigned i = 0; i < range->n_bits; i++)
        if (get_bit(range->bytes, i) != get_bit(bytes, i))
            return false;
    return true;
}
