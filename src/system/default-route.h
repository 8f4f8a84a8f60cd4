/* SPDX-License-Identifier: Apache-2.0 */
/* Where packets to the rest of the world leave this machine, from /proc/net. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "basic/macro.h"

typedef struct DefaultRoute {
    char interface[IF_NAMESIZE]; /* "": there is no such route */
    struct in_addr gateway;      /* of IPv4; INADDR_ANY: none, or not known */
    uint32_t metric;
} DefaultRoute;

/* The one with the smallest metric. The files have the form of /proc/net/route and of
 * /proc/net/ipv6_route; lines that have not are passed over. */
void default_route_parse_ipv4(FILE *f, DefaultRoute *ret);
void default_route_parse_ipv6(FILE *f, DefaultRoute *ret);

/* A file that cannot be read has no route. */
void default_routes_read(DefaultRoute *ret_ipv4, DefaultRoute *ret_ipv6);
