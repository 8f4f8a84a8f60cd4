/* SPDX-License-Identifier: Apache-2.0 */
/* The default routes of this machine, from /proc/net. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "basic/macro.h"

typedef struct DefaultRoute {
    char interface[IF_NAMESIZE]; /* "": no default route */
    struct in_addr gateway;      /* of IPv4; INADDR_ANY: none or unknown */
    uint32_t metric;
} DefaultRoute;

/* Find the route with the smallest metric. The files have the form of /proc/net/route and of
 * /proc/net/ipv6_route; invalid lines are skipped. */
void default_route_parse_ipv4(FILE *f, DefaultRoute *ret);
void default_route_parse_ipv6(FILE *f, DefaultRoute *ret);

/* An unreadable file counts as empty. */
void default_routes_read(DefaultRoute *ret_ipv4, DefaultRoute *ret_ipv6);
