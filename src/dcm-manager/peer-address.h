/* SPDX-License-Identifier: Apache-2.0 */
/* Source addresses of connections, with counters: an IPv4 address, or the /64 of an IPv6 address,
 * because a host may use all of that. */
#pragma once

#include <sys/socket.h>

#include "basic/macro.h"

#define PEER_ADDRESS_KEY_SIZE 9
#define PEER_ADDRESS_GROUPS 3
#define PEER_ADDRESS_HEAPS 4

/*
 *  WAITING ── it speaks, and there is room ──▶ SHAKING ──▶ ACCEPTED ──▶ CLOSING
 *                                                 └─────────────────────▲
 */
typedef enum PeerState {
    PEER_WAITING,  /* accepted; nothing read, no session yet */
    PEER_SHAKING,  /* TLS, HTTP, handshake; also during the probe of an older connection */
    PEER_ACCEPTED, /* the agent's connection, in by_agent */
    PEER_CLOSING,  /* being closed */
    _PEER_STATE_MAX,
} PeerState;

/* Some of the connections, in order of arrival; see dcm-manager/crowds.h. */
typedef struct GuestList {
    struct Guest *first, *last;
    unsigned n;
} GuestList;

/* All but the first two members is for the owner, and 0 at first. */
typedef struct PeerAddress {
    uint8_t key[PEER_ADDRESS_KEY_SIZE];
    unsigned n_references;
    unsigned n[_PEER_STATE_MAX]; /* connections in each state */
    GuestList groups[PEER_ADDRESS_GROUPS];
    unsigned positions[PEER_ADDRESS_HEAPS]; /* see dcm-manager/address-heap.h */
} PeerAddress;

/* All other families share one key. */
void peer_address_make_key(const struct sockaddr_storage *address,
                           uint8_t ret[static PEER_ADDRESS_KEY_SIZE]);

/* The address of a connection's peer. `*tree` is NULL at first, and again when no reference is
 * left. */
int peer_address_ref(void **tree, int fd, PeerAddress **ret);
int peer_address_ref_of(void **tree, const struct sockaddr_storage *address, PeerAddress **ret);
void peer_address_unref(void **tree, PeerAddress *a);
