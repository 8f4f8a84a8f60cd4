/* SPDX-License-Identifier: Apache-2.0 */
#include "system/addresses.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "system/default-route.h"

#define SYS_DIRECTORY "/sys/class/net"
#define SYS_PATH_SIZE (sizeof(SYS_DIRECTORY "//brif") + NAME_MAX)

typedef enum Rank {
    RANK_CONNECTION,
    RANK_DEFAULT_ROUTE,
    RANK_DEFAULT_INTERFACE, /* another address of the same interface */
    RANK_OTHER,
    RANK_BRIDGE, /* from this rank on nobody reaches the server by the address */
    RANK_NO_CARRIER,
    RANK_LOOPBACK,
    RANK_LINK_LOCAL,
} Rank;

typedef struct Candidate {
    Rank rank;
    unsigned index; /* the kernel's order */
    int family;
    char text[INET6_ADDRSTRLEN];
} Candidate;

typedef struct Routes {
    const char *connection;
    DefaultRoute ipv4, ipv6;
} Routes;

void addresses_done(Addresses *a) {
    strv_free(a->ipv4);
    strv_free(a->ipv6);
    *a = (Addresses){};
}

static void freeifaddrsp(struct ifaddrs **list) {
    if (*list)
        freeifaddrs(*list);
}

static const struct in_addr *ipv4_of(const struct sockaddr *a) {
    return &((const struct sockaddr_in *)(const void *)a)->sin_addr;
}

static const struct in6_addr *ipv6_of(const struct sockaddr *a) {
    return &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
}

/* Expects network and mask in host order. */
static bool is_in(struct in_addr a, uint32_t network, uint32_t mask) {
    return (ntohl(a.s_addr) & mask) == network;
}

static bool is_wanted(const struct ifaddrs *i) {
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
        return false;
    if (i->ifa_addr->sa_family == AF_INET6)
        return !IN6_IS_ADDR_LINKLOCAL(ipv6_of(i->ifa_addr)) &&
               !IN6_IS_ADDR_LOOPBACK(ipv6_of(i->ifa_addr));
    return i->ifa_addr->sa_family == AF_INET &&
           !is_in(*ipv4_of(i->ifa_addr), INADDR_LOOPBACK & 0xff000000, 0xff000000);
}

static bool is_link_local(const struct sockaddr *a) {
    return a->sa_family == AF_INET && is_in(*ipv4_of(a), 0xa9fe0000, 0xffff0000);
}

/* A network card, or an interface on top of one. */
static bool is_backed(const char *name) {
    char path[SYS_PATH_SIZE];
    bool found = false;
    DIR *d;

    (void)snprintf(path, sizeof(path), SYS_DIRECTORY "/%s", name);
    d = opendir(path);
    if (!d)
        return false;
    for (const struct dirent *e = readdir(d); e && !found; e = readdir(d))
        found = streq(e->d_name, "device") || strncmp(e->d_name, "lower_", strlen("lower_")) == 0;
    (void)closedir(d);
    return found;
}

/* A bridge without network card, for containers or virtual machines. */
static bool is_bridge_of_containers(const char *name) {
    char path[SYS_PATH_SIZE];
    bool backed = false;
    DIR *d;

    (void)snprintf(path, sizeof(path), SYS_DIRECTORY "/%s/brif", name);
    d = opendir(path);
    if (!d)
        return false;
    for (const struct dirent *e = readdir(d); e && !backed; e = readdir(d))
        backed = e->d_name[0] != '.' && is_backed(e->d_name);
    (void)closedir(d);
    return !backed;
}

/* If the gateway is missing or unknown, every address of the interface qualifies. */
static bool has_gateway(const struct ifaddrs *i, const DefaultRoute *route) {
    uint32_t mask;

    if (i->ifa_addr->sa_family != AF_INET || route->gateway.s_addr == INADDR_ANY || !i->ifa_netmask)
        return true;
    mask = ipv4_of(i->ifa_netmask)->s_addr;
    return (ipv4_of(i->ifa_addr)->s_addr & mask) == (route->gateway.s_addr & mask);
}

static Rank rank_of(const struct ifaddrs *i, const char *text, const Routes *routes) {
    const DefaultRoute *route = i->ifa_addr->sa_family == AF_INET6 ? &routes->ipv6 : &routes->ipv4;

    if (streq(text, routes->connection))
        return RANK_CONNECTION;
    if (is_link_local(i->ifa_addr))
        return RANK_LINK_LOCAL;
    if (i->ifa_flags & IFF_LOOPBACK)
        return RANK_LOOPBACK;
    if (!(i->ifa_flags & IFF_RUNNING))
        return RANK_NO_CARRIER;
    if (streq(i->ifa_name, route->interface))
        return has_gateway(i, route) ? RANK_DEFAULT_ROUTE : RANK_DEFAULT_INTERFACE;
    return is_bridge_of_containers(i->ifa_name) ? RANK_BRIDGE : RANK_OTHER;
}

static int compare(const void *a, const void *b) {
    const Candidate *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int make_candidate(const struct ifaddrs *i, unsigned index, const Routes *routes,
                          Candidate *ret) {
    bool is_v6 = i->ifa_addr->sa_family == AF_INET6;

    ret->index = index;
    ret->family = i->ifa_addr->sa_family;
    if (!inet_ntop(ret->family,
                   is_v6 ? (const void *)ipv6_of(i->ifa_addr) : (const void *)ipv4_of(i->ifa_addr),
                   ret->text, sizeof(ret->text)))
        return -errno;
    ret->rank = rank_of(i, ret->text, routes);
    return 0;
}

static int rank_all(const struct ifaddrs *list, const Routes *routes, Candidate **ret,
                    size_t *ret_n) {
    _cleanup_free_ Candidate *candidates = NULL;
    size_t n = 0, n_max = 1;

    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        n_max += is_wanted(i);
    candidates = calloc(n_max, sizeof(*candidates));
    if (!candidates)
        return -ENOMEM;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        if (is_wanted(i)) {
            TRY(make_candidate(i, (unsigned)n, routes, &candidates[n]));
            n++;
        }
    qsort(candidates, n, sizeof(*candidates), compare);
    *ret = TAKE_PTR(candidates);
    *ret_n = n;
    return 0;
}

static int append(char **list, const char *text) {
    size_t n = 0;

    while (list[n])
        n++;
    if (n == ADDRESSES_TOLD_MAX)
        return 0;
    list[n] = strdup(text);
    return list[n] ? 0 : -ENOMEM;
}

static int fill(const Candidate *candidates, size_t n, Addresses *ret) {
    int r = 0;

    ret->ipv4 = calloc(ADDRESSES_TOLD_MAX + 1, sizeof(char *));
    ret->ipv6 = calloc(ADDRESSES_TOLD_MAX + 1, sizeof(char *));
    if (!ret->ipv4 || !ret->ipv6)
        return -ENOMEM;
    for (size_t i = 0; i < n && r >= 0; i++) {
        bool is_v6 = candidates[i].family == AF_INET6;

        r = append(is_v6 ? ret->ipv6 : ret->ipv4, candidates[i].text);
        ret->n_usual_ipv4 += !is_v6 && candidates[i].rank < RANK_BRIDGE;
    }
    ret->n_usual_ipv4 = MIN(ret->n_usual_ipv4, ADDRESSES_TOLD_MAX);
    return r;
}

int addresses_read(const char *connection, Addresses *ret) {
    _cleanup_(addresses_done) Addresses a = {};
    _cleanup_(freeifaddrsp) struct ifaddrs *list = NULL;
    _cleanup_free_ Candidate *candidates = NULL;
    Routes routes = {.connection = connection};
    size_t n;

    if (getifaddrs(&list) < 0)
        return -errno;
    default_routes_read(&routes.ipv4, &routes.ipv6);
    TRY(rank_all(list, &routes, &candidates, &n));
    TRY(fill(candidates, n, &a));
    *ret = a;
    a = (Addresses){};
    return 0;
}
