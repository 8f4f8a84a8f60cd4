/* SPDX-License-Identifier: Apache-2.0 */
/* Source addresses of connections, with counters: an IPv4 address, or the /64 of an IPv6 address,
 * because a host may use all of that. */
#pragma once

#include <sys/socket.h>

#include "basic/macro.h"

#define PEER_ADDRESS_KEY_SIZE 9
#define PEER_ADDRESS_COUNTS 4

typedef struct PeerAddress {
    uint8_t key[PEER_ADDRESS_KEY_SIZE];
    unsigned n_references;
    unsigned n[PEER_ADDRESS_COUNTS]; /* for the owner; 0 at first */
} PeerAddress;

/* All other families share one key. */
void peer_address_make_key(const struct sockaddr_storage *address,
                           uint8_t ret[static PEER_ADDRESS_KEY_SIZE]);

/* The address of a connection's peer. `*tree` is NULL at first, and again when no reference is
 * left. */
int peer_address_ref(void **tree, int fd, PeerAddress **ret);
void peer_address_unref(void **tree, PeerAddress *a);
