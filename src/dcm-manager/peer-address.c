/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/peer-address.h"

#include <netinet/in.h>
#include <search.h>

void peer_address_make_key(const struct sockaddr_storage *address,
                           uint8_t ret[static PEER_ADDRESS_KEY_SIZE]) {
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;
    const uint8_t *bytes = ipv6->sin6_addr.s6_addr;

    memset(ret, 0, PEER_ADDRESS_KEY_SIZE);
    if (address->ss_family == AF_INET) {
        ret[0] = 4;
        memcpy(ret + 1, &ipv4->sin_addr, sizeof(ipv4->sin_addr));
    } else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&ipv6->sin6_addr)) {
        ret[0] = 4;
        memcpy(ret + 1, bytes + 12, sizeof(struct in_addr));
    } else if (address->ss_family == AF_INET6) {
        ret[0] = 6;
        memcpy(ret + 1, bytes, PEER_ADDRESS_KEY_SIZE - 1);
    }
}

static int compare(const void *a, const void *b) {
    return memcmp(((const PeerAddress *)a)->key, ((const PeerAddress *)b)->key,
                  PEER_ADDRESS_KEY_SIZE);
}

int peer_address_ref_of(void **tree, const struct sockaddr_storage *address, PeerAddress **ret) {
    _cleanup_free_ PeerAddress *a = calloc(1, sizeof(*a));
    PeerAddress *const *found;

    if (!a)
        return -ENOMEM;
    peer_address_make_key(address, a->key);
    found = tsearch(a, tree, compare);
    if (!found)
        return -ENOMEM;
    (*found)->n_references++;
    *ret = *found;
    if (*found == a)
        a = NULL;
    return 0;
}

int peer_address_ref(void **tree, int fd, PeerAddress **ret) {
    struct sockaddr_storage address = {};
    socklen_t size = sizeof(address);

    (void)getpeername(fd, (struct sockaddr *)&address, &size);
    return peer_address_ref_of(tree, &address, ret);
}

void peer_address_unref(void **tree, PeerAddress *a) {
    if (!a || --a->n_references > 0)
        return;
    (void)tdelete(a, tree, compare);
    free(a);
}
