/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

typedef struct Addresses {
    char **ipv4; /* NULL-terminated; never NULL after addresses_read() */
    char **ipv6;
} Addresses;

/* Addresses of all interfaces that are up, without loopback and link-local ones, in the kernel's
 * order. */
int addresses_read(Addresses *ret);
void addresses_done(Addresses *a);
