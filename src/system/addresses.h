/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

typedef struct Addresses {
    char **ipv4; /* NULL-terminated; never NULL after addresses_read() */
    char **ipv6;
    size_t n_usual_ipv4; /* so many of ipv4 come before those by which nobody reaches the server */
} Addresses;

/* Addresses of all interfaces that are up, without 127/8, ::1 and link-local IPv6 ones; the best
 * first: `connection`, the one that a connection to the manager has ("": there is none); those of
 * the default route; others; then bridges of containers, interfaces without carrier, the loopback
 * interface, link-local addresses. Within each the kernel's order. */
int addresses_read(const char *connection, Addresses *ret);
void addresses_done(Addresses *a);
