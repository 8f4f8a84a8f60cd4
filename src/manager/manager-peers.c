/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the peers. Invariant: at most one accepted peer per agent, and that one is in by_agent. */
#include <search.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/limits.h"
#include "manager/manager-peers.h"

static int compare_peers(const void *a, const void *b) {
    return strcmp(((const Peer *)a)->agent, ((const Peer *)b)->agent);
}

Peer *manager_find(Manager *m, const char *agent) {
    Peer key = {.agent = (char *)agent};
    Peer *const *found = tfind(&key, &m->by_agent, compare_peers);

    return found ? *found : NULL;
}

static void count_changed(Manager *m) {
    if (m->observer.on_count)
        m->observer.on_count(m->peers[PEER_ACCEPTED].n, m->userdata);
}

static void peer_leave(Peer *p) {
    PeerList *list = &p->manager->peers[p->state];

    *(p->previous ? &p->previous->next : &list->first) = p->next;
    *(p->next ? &p->next->previous : &list->last) = p->previous;
    p->previous = p->next = NULL;
    list->n--;
    p->address->n[p->state]--;
}

static void peer_join(Peer *p, PeerState state) {
    PeerList *list = &p->manager->peers[state];

    p->state = state;
    p->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = p;
    list->last = p;
    list->n++;
    p->address->n[state]++;
}

void peer_enter(Peer *p, PeerState state) {
    if (p->previous || p->next || p->manager->peers[p->state].first == p)
        peer_leave(p);
    peer_join(p, state);
}

static void forget_as_older(Peer *p) {
    if (p->manager->n_probing == 0)
        return;
    for (Peer *other = p->manager->peers[PEER_SHAKING].first; other; other = other->next)
        if (other->older == p)
            other->older = NULL;
}

/* It is the agent's connection no longer. */
static void expel(Peer *p) {
    Manager *m = p->manager;
    int r;

    if (!p->agent)
        return;
    (void)tdelete(p, &m->by_agent, compare_peers);
    p->delivery = delivery_free(p->delivery);
    r = p->is_replaced ? 0 : store_note_disconnected(m->store, p->agent);
    if (r < 0)
        (void)log_warning_errno(r, "The end of a connection cannot be stored: %m");
    forget_as_older(p);
    free(p->agent);
    p->agent = NULL;
    count_changed(m);
}

static bool is_empty(const Manager *m) {
    for (PeerState state = 0; state < _PEER_STATE_MAX; state++)
        if (m->peers[state].n > 0)
            return false;
    return true;
}

void peer_free(Peer *p) {
    Manager *m = p->manager;

    peer_leave(p);
    expel(p);
    peer_stop_probe(p);
    offer_done(&p->offer);
    while (p->n_questions > 0)
        free(p->questions[--p->n_questions]);
    if (p->state == PEER_WAITING && p->knocked)
        m->n_knocked--;
    sd_event_source_disable_unref(p->knock);
    safe_close(p->fd);
    session_free(p->session);
    peer_address_unref(&m->by_address, p->address);
    free(p);
    if (!m->is_stopping)
        door_update(m);
    else if (is_empty(m))
        count_changed(m);
}

static void on_offer(const Offer *offer, void *userdata) {
    peer_take_offer(userdata, offer);
}

static void on_message(const Message *message, void *userdata) {
    peer_take_message(userdata, message);
}

static bool on_unreadable(const Message *message, const char *why, void *userdata) {
    return peer_take_unreadable(userdata, message, why);
}

static void on_closing(const char *why, void *userdata) {
    Peer *p = userdata;

    if (p->agent)
        (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_AGENT_ID(p->agent)), "%s is disconnected: %s",
                         p->agent, strempty(why));
    else
        log_debug("%s: closed: %s", session_peer(p->session), strempty(why));
    peer_enter(p, PEER_CLOSING);
    expel(p);
    peer_stop_probe(p);
    door_update(p->manager);
}

static void on_ended(void *userdata) {
    peer_free(userdata);
}

int peer_start(Peer *p, int fd) {
    static const SessionCallbacks callbacks = {
        .on_offer = on_offer,
        .on_message = on_message,
        .on_unreadable = on_unreadable,
        .on_closing = on_closing,
        .on_ended = on_ended,
    };
    Manager *m = p->manager;

    return session_new(m->event, fd, m->tls, &m->options.session, &callbacks, p, &p->session);
}

static void on_accept(int fd, void *userdata) {
    door_take(userdata, fd);
}

static void take_over(Peer *p, Peer *older) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    bool soon = now < older->takeovers_usec + TAKEOVERS_USEC;

    p->takeovers_usec = soon ? older->takeovers_usec : now;
    p->n_takeovers = soon ? older->n_takeovers + 1 : 1;
    older->is_replaced = true;
    session_close(older->session, CLOSE_POLICY, "replaced by a newer connection");
}

int manager_admit(Peer *p, const StoredAgent *a) {
    Manager *m = p->manager;
    Peer *older = manager_find(m, a->id);
    int r;

    if (older)
        take_over(p, older);
    r = session_accept(p->session, a->id, a->server_id, a->name);
    if (r < 0)
        return r;
    p->agent = strdup(a->id);
    if (!p->agent)
        return -ENOMEM;
    if (!tsearch(p, &m->by_agent, compare_peers)) {
        free(p->agent);
        p->agent = NULL;
        return -ENOMEM;
    }
    p->since = (int64_t)now_usec(CLOCK_REALTIME);
    p->is_used = a->is_used;
    peer_enter(p, PEER_ACCEPTED);
    door_update(m);
    (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_AGENT_ID(p->agent)),
                     "%s (%s) is connected from %s", p->agent, a->name, session_peer(p->session));
    count_changed(m);
    r = peer_start_delivery(p);
    if (r < 0) {
        (void)log_error_errno(r, "Requests for %s cannot be sent: %m", a->id);
        session_close(p->session, CLOSE_TRY_LATER, "requests cannot be read");
    } else if (m->observer.on_agent)
        m->observer.on_agent(p->agent, m->userdata);
    return 0;
}

int manager_new(sd_event *event, Store *store, const ManagerOptions *options, Manager **ret) {
    _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));
    int r;

    if (!m) {
        store_free(store);
        return -ENOMEM;
    }
    m->event = event;
    m->store = store;
    m->options = *options;
    m->budget.left = RECEIVE_SIZE_MAX;
    m->options.session.budget = &m->budget;
    r = door_set_up(m);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

static void stop_listening(Manager *m) {
    while (m->n_listeners > 0)
        listener_free(m->listeners[--m->n_listeners]);
}

Manager *manager_free(Manager *m) {
    if (!m)
        return NULL;
    m->observer = (ManagerObserver){};
    m->is_stopping = true;
    stop_listening(m);
    for (PeerState state = 0; state < _PEER_STATE_MAX; state++)
        while (m->peers[state].first)
            peer_free(m->peers[state].first);
    sd_event_source_disable_unref(m->look);
    tls_server_unref(m->tls);
    store_free(m->store);
    free(m);
    return NULL;
}

void manager_set_observer(Manager *m, const ManagerObserver *observer, void *userdata) {
    m->observer = observer ? *observer : (ManagerObserver){};
    m->userdata = userdata;
}

void manager_set_tls(Manager *m, TlsServer *tls) {
    tls_server_ref(tls);
    tls_server_unref(m->tls);
    m->tls = tls;
}

int manager_listen(Manager *m, int fd, char *ret, size_t size) {
    Listener *l;
    int r;

    if (m->n_listeners == LISTENERS_MAX) {
        safe_close(fd);
        return -E2BIG;
    }
    r = listener_new(m->event, fd, on_accept, m, &l);
    if (r < 0)
        return r;
    m->listeners[m->n_listeners++] = l;
    if (ret)
        listener_describe(l, ret, size);
    return 0;
}

void manager_stop(Manager *m) {
    m->is_stopping = true;
    stop_listening(m);
    (void)sd_event_source_set_enabled(m->look, SD_EVENT_OFF);
    while (m->peers[PEER_WAITING].first)
        peer_free(m->peers[PEER_WAITING].first);
    while (m->peers[PEER_SHAKING].first)
        peer_free(m->peers[PEER_SHAKING].first);
    while (m->peers[PEER_ACCEPTED].first)
        session_close(m->peers[PEER_ACCEPTED].first->session, CLOSE_GOING_AWAY,
                      "the manager stops");
    if (is_empty(m))
        count_changed(m);
}

Store *manager_get_store(Manager *m) {
    return m->store;
}

bool manager_is_idle(const Manager *m) {
    return is_empty(m);
}

unsigned manager_count_connected(const Manager *m) {
    return m->peers[PEER_ACCEPTED].n;
}

int manager_get_connection(Manager *m, const char *agent, int64_t *ret_since,
                           const char **ret_peer) {
    const Peer *p = manager_find(m, agent);

    if (!p)
        return -ENOTCONN;
    *ret_since = p->since;
    *ret_peer = session_peer(p->session);
    return 0;
}

const char *manager_any_connected(Manager *m) {
    const Peer *p = m->peers[PEER_ACCEPTED].first;

    return p ? p->agent : NULL;
}
