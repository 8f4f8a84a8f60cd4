/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the peers. Invariants: at most one accepted peer per agent, and that one is in by_agent;
 * n_shaking counts all others: not accepted yet, or on their way out.
 *
 * When too many are not authenticated, accepting pauses until one is, or until the oldest of them
 * is old enough to be dropped: neither a crowd of returning agents nor silent strangers can keep
 * others out for long. */
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
        m->observer.on_count(m->n_connected, m->userdata);
}

/* It is the agent's connection no longer. */
static void expel(Peer *p) {
    Manager *m = p->manager;
    int r;

    if (!p->agent)
        return;
    (void)tdelete(p, &m->by_agent, compare_peers);
    m->n_connected--;
    m->n_shaking++;
    p->delivery = delivery_free(p->delivery);
    r = p->is_replaced ? 0 : store_note_disconnected(m->store, p->agent);
    if (r < 0)
        (void)log_warning_errno(r, "The end of a connection cannot be stored: %m");
    for (Peer *other = m->n_probing > 0 ? m->first : NULL; other; other = other->next)
        if (other->older == p)
            other->older = NULL;
    free(p->agent);
    p->agent = NULL;
    count_changed(m);
}

static void unlink_peer(Peer *p) {
    Manager *m = p->manager;

    *(p->previous ? &p->previous->next : &m->first) = p->next;
    *(p->next ? &p->next->previous : &m->last) = p->previous;
    m->n_peers--;
    m->n_shaking--;
}

static void update_accepting(Manager *m);

static void peer_free(Peer *p) {
    Manager *m = p->manager;

    expel(p);
    unlink_peer(p);
    peer_stop_probe(p);
    offer_done(&p->offer);
    while (p->n_questions > 0)
        free(p->questions[--p->n_questions]);
    session_free(p->session);
    free(p);
    if (!m->is_stopping)
        update_accepting(m);
    else if (m->n_peers == 0)
        count_changed(m);
}

static bool is_full(const Manager *m) {
    return m->n_shaking >= SESSIONS_SHAKING_MAX || m->n_peers >= m->options.sessions_max;
}

static Peer *oldest_shaking(Manager *m) {
    for (Peer *p = m->first; p; p = p->next)
        if (!p->agent)
            return p;
    return NULL;
}

static void update_accepting(Manager *m) {
    bool full = is_full(m);

    for (size_t i = 0; i < m->n_listeners; i++)
        listener_pause(m->listeners[i], full);
    if (full) {
        Peer *oldest = oldest_shaking(m);
        uint64_t from = oldest ? oldest->arrived_usec : now_usec(CLOCK_BOOTTIME);

        (void)sd_event_source_set_time(m->resume, from + SHAKING_PATIENCE_USEC);
    }
    (void)sd_event_source_set_enabled(m->resume, full ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *userdata) {
    Manager *m = userdata;
    Peer *oldest = oldest_shaking(m);

    if (oldest && usec >= oldest->arrived_usec + SHAKING_PATIENCE_USEC) {
        log_info("%s: dropped, it does not introduce itself and others wait",
                 session_peer(oldest->session));
        peer_free(oldest);
    } else
        update_accepting(m);
    return 0;
}

static void on_offer(const Offer *offer, void *userdata) {
    peer_take_offer(userdata, offer);
}

static void on_message(const Message *message, void *userdata) {
    peer_take_message(userdata, message);
}

static void on_closing(const char *why, void *userdata) {
    Peer *p = userdata;

    p->is_closing = true;
    if (p->agent)
        (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_AGENT_ID(p->agent)), "%s is disconnected: %s",
                         p->agent, strempty(why));
    else
        log_debug("%s: closed: %s", session_peer(p->session), strempty(why));
    expel(p);
    peer_stop_probe(p);
}

static void on_ended(void *userdata) {
    peer_free(userdata);
}

static void on_accept(int fd, void *userdata) {
    static const SessionCallbacks callbacks = {
        .on_offer = on_offer,
        .on_message = on_message,
        .on_closing = on_closing,
        .on_ended = on_ended,
    };
    Manager *m = userdata;
    _cleanup_free_ Peer *p = calloc(1, sizeof(*p));
    int r;

    if (!p) {
        safe_close(fd);
        return;
    }
    p->manager = m;
    p->arrived_usec = now_usec(CLOCK_BOOTTIME);
    r = session_new(m->event, fd, m->tls, &m->options.session, &callbacks, p, &p->session);
    if (r < 0) {
        (void)log_warning_errno(r, "A connection cannot be taken: %m");
        return;
    }
    p->previous = m->last;
    *(m->last ? &m->last->next : &m->first) = p;
    m->last = TAKE_PTR(p);
    m->n_peers++;
    m->n_shaking++;
    if (is_full(m))
        update_accepting(m);
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
    m->n_connected++;
    m->n_shaking--;
    update_accepting(m);
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
    r = sd_event_add_time(event, &m->resume, CLOCK_BOOTTIME, 0, 0, on_resume, m);
    if (r >= 0)
        r = sd_event_source_set_enabled(m->resume, SD_EVENT_OFF);
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
    while (m->first)
        peer_free(m->first);
    sd_event_source_disable_unref(m->resume);
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
    Peer *next;

    m->is_stopping = true;
    stop_listening(m);
    (void)sd_event_source_set_enabled(m->resume, SD_EVENT_OFF);
    for (Peer *p = m->first; p; p = next) {
        next = p->next;
        if (p->agent)
            session_close(p->session, CLOSE_GOING_AWAY, "the manager stops");
        else if (!p->is_closing)
            peer_free(p);
    }
    if (m->n_peers == 0)
        count_changed(m);
}

Store *manager_get_store(Manager *m) {
    return m->store;
}

bool manager_is_idle(const Manager *m) {
    return m->n_peers == 0;
}

unsigned manager_count_connected(const Manager *m) {
    return m->n_connected;
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
    for (const Peer *p = m->first; p; p = p->next)
        if (p->agent)
            return p->agent;
    return NULL;
}
