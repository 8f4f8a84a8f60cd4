/* SPDX-License-Identifier: Apache-2.0 */
/* The connections, and what the manager knows of them: for the manager-*.c files and manager.c
 * alone. Invariant: at most one accepted peer per agent, and that one is in by_agent. */
#pragma once

#include "basic/ratelimit.h"
#include "dcm-manager/delivery.h"
#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/listener.h"
#include "dcm-manager/manager-setup.h"
#include "dcm-manager/peer-address.h"

#define LISTENERS_MAX 16

/*
 *  WAITING ── it speaks, and there is room ──▶ SHAKING ──▶ ACCEPTED ──▶ CLOSING
 *                                                 └─────────────────────▲
 */
typedef enum PeerState {
    PEER_WAITING,  /* nothing was read yet; there is no session */
    PEER_SHAKING,  /* TLS, HTTP, handshake; also while an older connection is probed */
    PEER_ACCEPTED, /* it is its agent's connection, and in by_agent */
    PEER_CLOSING,  /* told to go */
    _PEER_STATE_MAX,
} PeerState;

/* One connection. */
typedef struct Peer Peer;
struct Peer {
    Peer *previous, *next; /* in order of arrival in that state */
    Manager *manager;
    PeerState state;
    int fd; /* while it waits */
    PeerAddress *address;
    sd_event_source *knock;
    Session *session;
    char *agent; /* NULL: not accepted (any more) */
    Offer offer; /* of an accepted or probing one */
    Peer *older; /* the connection whose life is being probed */
    uint64_t probed_usec;
    sd_event_source *probe;
    Delivery *delivery;
    uint64_t arrived_usec;          /* CLOCK_BOOTTIME */
    uint64_t started_usec;          /* it shakes hands since then */
    int64_t since;                  /* CLOCK_REALTIME */
    size_t kept_size;               /* of its lines and alerts since the last trim, ... */
    unsigned n_kept;                /* ... and their number */
    unsigned n_takeovers;           /* of this agent's connection, this one's included, ... */
    uint64_t takeovers_usec;        /* ... since then, CLOCK_BOOTTIME */
    char *questions[QUESTIONS_MAX]; /* GUIDs whose STATUS was asked and not answered yet */
    size_t n_questions;
    bool knocked; /* what it begins with is there, whole */
    bool is_probing;
    bool is_used;     /* somebody has named the agent or ordered something */
    bool is_replaced; /* by a newer connection of its agent */
};

typedef struct PeerList {
    Peer *first, *last;
    unsigned n;
} PeerList;

struct Manager {
    sd_event *event;
    Ledger *store;
    ManagerOptions options;
    ManagerObserver observer;
    void *userdata;
    TlsServer *tls;
    const SessionCallbacks *session_callbacks; /* their userdata is the peer */
    Listener *listeners[LISTENERS_MAX];
    size_t n_listeners;
    PeerList peers[_PEER_STATE_MAX];
    unsigned peers_max[_PEER_STATE_MAX];
    unsigned n_knocked; /* of those that wait */
    unsigned n_probing;
    bool is_updating;
    void *by_agent;   /* tsearch(3) tree of accepted peers */
    void *by_address; /* of PeerAddress */
    sd_event_source *look;
    RateLimit dropped;
    ReceiveBudget budget;
    bool is_stopping;
};

/* NULL: it is not connected. */
Peer *peer_find(Manager *m, const char *agent);
bool peers_are_gone(const Manager *m);
void peers_count_changed(Manager *m);

void peer_enter(Peer *p, PeerState state);
/* Takes over the socket; it is read from now. */
int peer_start(Peer *p, int fd);
/* It becomes that agent's connection. The agent has no other one. */
int peer_adopt(Peer *p, const char *agent);
/* It is its agent's connection no longer, if it was. */
void peer_expel(Peer *p);
void peer_stop_probe(Peer *p);
void peer_free(Peer *p);
