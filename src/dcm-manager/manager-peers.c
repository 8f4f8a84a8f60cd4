/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/manager-peers.h"

#include <search.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/utf8.h"

static int compare_peers(const void *a, const void *b) {
    return strcmp(((const Peer *)a)->agent, ((const Peer *)b)->agent);
}

Peer *peer_find(Manager *m, const char *agent) {
    Peer key = {.agent = (char *)agent};
    Peer *const *found = tfind(&key, &m->by_agent, compare_peers);

    return found ? *found : NULL;
}

void peers_count_changed(Manager *m) {
    if (m->observer.on_count)
        m->observer.on_count(m->peers[PEER_ACCEPTED].n, m->userdata);
}

static_assert(offsetof(Peer, guest) == 0, "for peer_of()");

void peer_join_group(Peer *p, GuestGroup group) {
    crowds_join(&p->manager->crowds, &p->guest, group);
}

static void peer_leave(Peer *p) {
    PeerList *list = &p->manager->peers[p->state];

    *(p->previous ? &p->previous->next : &list->first) = p->next;
    *(p->next ? &p->next->previous : &list->last) = p->previous;
    p->previous = p->next = NULL;
    list->n--;
    p->guest.address->n[p->state]--;
    peer_join_group(p, GUEST_NONE);
}

static void peer_join(Peer *p, PeerState state) {
    PeerList *list = &p->manager->peers[state];

    p->state = state;
    p->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = p;
    list->last = p;
    list->n++;
    p->guest.address->n[state]++;
    crowds_update(&p->manager->crowds, p->guest.address);
}

void peer_enter(Peer *p, PeerState state) {
    if (p->previous || p->next || p->manager->peers[p->state].first == p)
        peer_leave(p);
    peer_join(p, state);
}

void peer_set_address(Peer *p, PeerAddress *address) {
    PeerAddress *former = p->guest.address;
    PeerState state = p->state;
    GuestGroup group = p->guest.group;

    peer_leave(p);
    p->guest.address = address;
    peer_join(p, state);
    peer_join_group(p, group);
    peer_address_unref(&p->manager->by_address, former);
}

void peer_describe(const Peer *p, char *buf, size_t size) {
    if (p->session)
        (void)utf8_format(buf, size, "%s", session_peer(p->session));
    else if (p->client)
        socket_describe_address(p->client, buf, size);
    else
        socket_describe_peer(p->fd, buf, size);
}

static void forget_as_older(Peer *p) {
    if (p->manager->n_probing == 0)
        return;
    for (Peer *other = p->manager->peers[PEER_SHAKING].first; other; other = other->next)
        if (other->older == p)
            other->older = NULL;
}

void peer_stop_probe(Peer *p) {
    p->probe = sd_event_source_disable_unref(p->probe);
    if (p->is_probing)
        p->manager->n_probing--;
    p->is_probing = false;
    p->older = NULL;
}

void peer_expel(Peer *p) {
    Manager *m = p->manager;
    int r;

    if (!p->agent)
        return;
    (void)tdelete(p, &m->by_agent, compare_peers);
    m->counters.n_disconnected++;
    p->delivery = delivery_free(p->delivery);
    /* the stop notes it for all */
    r = p->is_replaced || m->is_stopping ? 0 : ledger_note_disconnected(m->store, p->agent);
    if (r < 0)
        (void)log_warning_errno(r, "The end of a connection cannot be stored: %m");
    forget_as_older(p);
    free(p->agent);
    p->agent = NULL;
    peers_count_changed(m);
}

bool peers_are_gone(const Manager *m) {
    for (PeerState state = 0; state < _PEER_STATE_MAX; state++)
        if (m->peers[state].n > 0)
            return false;
    return true;
}

void peer_free(Peer *p) {
    Manager *m = p->manager;

    peer_leave(p);
    peer_expel(p);
    peer_stop_probe(p);
    if (p->admission)
        *p->admission = NULL;
    offer_done(&p->offer);
    while (p->n_questions > 0)
        free(p->questions[--p->n_questions]);
    poll_source_free(p->knock);
    safe_close(p->fd);
    free(p->client);
    session_free(p->session);
    peer_address_unref(&m->by_address, p->guest.address);
    free(p);
    if (m->is_stopping && peers_are_gone(m))
        peers_count_changed(m);
}

int peer_start(Peer *p, int fd) {
    Manager *m = p->manager;
    char peer[80] = "";

    TRY(session_new(m->event, m->poller, fd, m->tls, &m->options.session, m->session_callbacks, p,
                    &p->session));
    if (!p->client)
        return 0;
    socket_describe_address(p->client, peer, sizeof(peer));
    session_set_peer(p->session, peer);
    free(TAKE_PTR(p->client));
    return 0;
}

int peer_adopt(Peer *p, const char *agent) {
    p->agent = strdup(agent);
    if (!p->agent)
        return -ENOMEM;
    if (tsearch(p, &p->manager->by_agent, compare_peers))
        return 0;
    free(TAKE_PTR(p->agent));
    return -ENOMEM;
}
