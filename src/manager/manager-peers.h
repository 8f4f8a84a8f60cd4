/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the manager-*.c files alone. */
#pragma once

#include "manager/delivery.h"
#include "manager/limits.h"
#include "manager/listener.h"
#include "manager/manager.h"

#define LISTENERS_MAX 16

/* One connection, authenticated or not. */
typedef struct Peer Peer;
struct Peer {
    Peer *previous, *next; /* in order of arrival */
    Manager *manager;
    Session *session;
    char *agent; /* NULL: not accepted (any more) */
    Offer offer; /* of an accepted or probing one */
    Peer *older; /* the connection whose life is being probed */
    uint64_t probed_usec;
    sd_event_source *probe;
    bool is_probing;
    Delivery *delivery;
    uint64_t arrived_usec;          /* CLOCK_BOOTTIME */
    int64_t since;                  /* CLOCK_REALTIME */
    unsigned n_kept;                /* its lines and alerts, ... */
    size_t kept_size;               /* ... and their bytes since the last trim */
    char *questions[QUESTIONS_MAX]; /* GUIDs whose STATUS was asked and not answered yet */
    size_t n_questions;
    unsigned n_takeovers;    /* of this agent's connection, this one's included, ... */
    uint64_t takeovers_usec; /* ... since then, CLOCK_BOOTTIME */
    bool is_closing;
    bool is_replaced; /* by a newer connection of its agent */
};

struct Manager {
    sd_event *event;
    Store *store;
    ManagerOptions options;
    ManagerObserver observer;
    void *userdata;
    TlsServer *tls;
    Listener *listeners[LISTENERS_MAX];
    size_t n_listeners;
    Peer *first, *last;
    unsigned n_peers, n_shaking, n_connected, n_probing;
    void *by_agent; /* tsearch(3) tree of accepted peers */
    sd_event_source *resume;
    bool is_stopping;
};

/* manager-peers.c */
Peer *manager_find(Manager *m, const char *agent);
/* The peer becomes the agent's connection; an older one is closed. */
int manager_admit(Peer *p, const StoredAgent *a);

/* manager-auth.c: takes the offer over. */
void peer_take_offer(Peer *p, const Offer *offer);
void peer_stop_probe(Peer *p);

/* manager-messages.c */
void peer_take_message(Peer *p, const Message *m);
int peer_start_delivery(Peer *p);
