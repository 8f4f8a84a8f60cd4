/* SPDX-License-Identifier: Apache-2.0 */
/* Where connections come from, and how many: an IPv4 address, or the /64 of an IPv6 one, since a
 * host has all of that. */
#pragma once

#include <sys/socket.h>

#include "basic/macro.h"

#define PEER_ADDRESS_KEY_SIZE 9
#define PEER_ADDRESS_COUNTS 4

typedef struct PeerAddress {
    uint8_t key[PEER_ADDRESS_KEY_SIZE];
    unsigned n_references;
    unsigned n[PEER_ADDRESS_COUNTS]; /* the owner's; 0 at first */
} PeerAddress;

/* What is neither is one address, too. */
void peer_address_make_key(const struct sockaddr_storage *address,
                           uint8_t ret[static PEER_ADDRESS_KEY_SIZE]);

/* Of the other end of a connection. `*tree` is NULL at first, and again when all references are
 * gone. */
int peer_address_ref(void **tree, int fd, PeerAddress **ret);
void peer_address_unref(void **tree, PeerAddress *a);
