/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

typedef struct Addresses {
    char **ipv4; /* NULL-terminated; never NULL after addresses_read() */
    char **ipv6;
    size_t n_usual_ipv4; /* the rest are addresses by which nobody reaches the server */
} Addresses;

/* Reads the addresses of all interfaces that are up, without 127/8, ::1 and link-local IPv6 ones;
 * the best first: `connection`, the local address of the connection to the manager ("": none);
 * those of the default route; others; then container bridges, interfaces without carrier, the
 * loopback interface, link-local addresses. Within each group the order is the kernel's. */
int addresses_read(const char *connection, Addresses *ret);
void addresses_done(Addresses *a);
