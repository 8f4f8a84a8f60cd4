/* SPDX-License-Identifier: Apache-2.0 */
#include "system/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "basic/strv.h"

#define ADDRESSES_MAX 64u /* of each family */

void addresses_done(Addresses *a) {
    strv_free(a->ipv4);
    strv_free(a->ipv6);
    *a = (Addresses){};
}

static void freeifaddrsp(struct ifaddrs **list) {
    if (*list)
        freeifaddrs(*list);
}

static bool is_wanted(const struct ifaddrs *i) {
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
        return false;
    if (i->ifa_addr->sa_family == AF_INET6)
        return !IN6_IS_ADDR_LINKLOCAL(
            &((const struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr);
    return i->ifa_addr->sa_family == AF_INET;
}

static int append(char **list, const struct sockaddr *address) {
    char text[INET6_ADDRSTRLEN];
    const void *raw =
        address->sa_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
            : &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    size_t n = 0;

    while (list[n])
        n++;
    if (n == ADDRESSES_MAX)
        return 0;
    if (!inet_ntop(address->sa_family, raw, text, sizeof(text)))
        return -errno;
    list[n] = strdup(text);
    return list[n] ? 0 : -ENOMEM;
}

int addresses_read(Addresses *ret) {
    _cleanup_(addresses_done) Addresses a = {};
    _cleanup_(freeifaddrsp) struct ifaddrs *list = NULL;
    int r;

    a.ipv4 = calloc(ADDRESSES_MAX + 1, sizeof(char *));
    a.ipv6 = calloc(ADDRESSES_MAX + 1, sizeof(char *));
    if (!a.ipv4 || !a.ipv6)
        return -ENOMEM;
    if (getifaddrs(&list) < 0)
        return -errno;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        if (!is_wanted(i))
            continue;
        r = append(i->ifa_addr->sa_family == AF_INET6 ? a.ipv6 : a.ipv4, i->ifa_addr);
        if (r < 0)
            return r;
    }
    *ret = a;
    a = (Addresses){};
    return 0;
}
