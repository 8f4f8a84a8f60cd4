/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that begin with the same bits: "192.0.2.0/24", "2001:db8::/32", "192.0.2.1". */
#pragma once

#include <sys/socket.h>

#include "basic/macro.h"

typedef struct AddressRange {
    uint8_t bytes[16]; /* IPv4 as IPv6 has it */
    unsigned n_bits;
} AddressRange;

/* -EINVAL; also if bits behind the prefix are set, which is a mistake. */
int address_range_parse(const char *text, AddressRange *ret);
bool address_range_has(const AddressRange *range, const struct sockaddr_storage *address);
