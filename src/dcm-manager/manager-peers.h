/* SPDX-License-Identifier: Apache-2.0 */
/* The connections and their state, only for the manager-*.c files and manager.c. Invariant: at most
 * one accepted peer per agent, which is in by_agent. */
#pragma once

#include "basic/ratelimit.h"
#include "dcm-manager/crowds.h"
#include "dcm-manager/delivery.h"
#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/listener.h"
#include "dcm-manager/manager-setup.h"
#include "dcm-manager/pace.h"
#include "dcm-manager/peer-address.h"

#define LISTENERS_MAX 16
#define GUESSES_BUCKETS 4096

typedef struct Peer Peer;
struct Peer {
    Guest guest;           /* the first member, so that it is found by it */
    Peer *previous, *next; /* in order of arrival in their state */
    Manager *manager;
    PeerState state;
    int fd;                          /* while WAITING */
    struct sockaddr_storage *client; /* by which a proxy connects; NULL: it has connected itself */
    PollSource *knock;
    Session *session;
    char *agent; /* NULL: not accepted, or not any more */
    Offer offer; /* of an accepted or probing peer */
    Peer *older; /* the connection being probed */
    uint64_t probed_usec;
    sd_event_source *probe;
    Delivery *delivery;
    Peer **admission;               /* NULL, or who waits for the commit and knows this peer */
    uint64_t started_usec;          /* of the handshake, CLOCK_BOOTTIME */
    int64_t since;                  /* CLOCK_REALTIME */
    size_t kept_size;               /* of its lines and alerts since the last trim */
    unsigned n_kept;                /* their number */
    unsigned n_takeovers;           /* of this agent's connection, including this one */
    uint64_t takeovers_usec;        /* since when they count, CLOCK_BOOTTIME */
    char *questions[QUESTIONS_MAX]; /* GUIDs with a pending STATUS query */
    size_t n_questions;
    bool awaits_header; /* of the PROXY protocol, before anything else */
    bool is_probing;
    bool is_replaced; /* by a newer connection of its agent */
};

typedef struct PeerList {
    Peer *first, *last;
    unsigned n;
} PeerList;

/* Since the start. */
typedef struct ManagerCounters {
    uint64_t n_connected, n_disconnected, n_registered;
    uint64_t n_dropped; /* silent, and others wait */
    uint64_t n_shed;    /* sent away before the handshake */
    Refusals refusals;
} ManagerCounters;

/* Wrong enrolment tokens of the present interval, by a hash of the address: addresses that share a
 * counter share a limit. */
typedef struct Guesses {
    uint64_t begin_usec; /* CLOCK_BOOTTIME */
    unsigned n;
    uint8_t of[GUESSES_BUCKETS];
    uint8_t key[16]; /* of the hash; random */
} Guesses;

struct Manager {
    sd_event *event;
    Poller *poller; /* all connections of agents */
    Ledger *store;
    ManagerOptions options;
    ManagerObserver observer;
    void *userdata;
    TlsServer *tls;
    const SessionCallbacks *session_callbacks; /* with the peer as userdata */
    Listener *listeners[LISTENERS_MAX];
    size_t n_listeners;
    PeerList peers[_PEER_STATE_MAX];
    unsigned peers_max[_PEER_STATE_MAX];
    Crowds crowds;
    unsigned n_probing;
    bool is_updating;
    void *by_agent;   /* tsearch(3) tree of accepted peers */
    void *by_address; /* of PeerAddress */
    sd_event_source *look;
    RateLimit dropped, headless, shed, slowed;
    ManagerCounters counters;
    Pace handshakes, new_agents;
    sd_event_source *drain;
    bool is_draining;
    uint64_t store_failed_usec; /* last, CLOCK_BOOTTIME */
    unsigned drain_n;           /* were connected when it began */
    uint64_t drain_begun_usec, drain_within_usec;
    RateLimit waiting_said, evicted_said, guesses_said;
    Guesses guesses;
    unsigned n_bans; /* how often operators took an acceptance back */
    ReceiveBudget budget;
    bool is_stopping;
    sd_event_source *farewell, *farewell_end;
    sd_event_source *commit, *expire;
};

/* NULL stays NULL. */
static inline Peer *peer_of(Guest *g) {
    return (Peer *)g;
}

/* NULL: the agent is not connected. */
Peer *peer_find(Manager *m, const char *agent);
bool peers_are_gone(const Manager *m);
void peers_count_changed(Manager *m);

void peer_enter(Peer *p, PeerState state);
/* It is somebody else's, for whom a proxy connects. Takes ownership of the reference. */
void peer_set_address(Peer *p, PeerAddress *address);
/* "192.0.2.7:40112" */
void peer_describe(const Peer *p, char *buf, size_t size);
/* It leaves its group whenever it enters a state. */
void peer_join_group(Peer *p, GuestGroup group);
/* Takes ownership of the socket and begins to read it. */
int peer_start(Peer *p, int fd);
/* Makes it the agent's connection. The agent must not have another one. */
int peer_adopt(Peer *p, const char *agent);
/* Ends its role as the agent's connection, if it has it. */
void peer_expel(Peer *p);
void peer_stop_probe(Peer *p);
void peer_free(Peer *p);
