/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   a socket ─▶ manager-door ─ first bytes ─▶ session ─▶ manager-auth ─▶ manager-messages
 *
 * All of them work on the peers of manager-peers.h; callbacks of sessions arrive here. */
#include "dcm-manager/manager.h"

#include <stdio.h>

#include "basic/fd-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "dcm-manager/manager-auth.h"
#include "dcm-manager/manager-door.h"
#include "dcm-manager/manager-drain.h"
#include "dcm-manager/manager-leave.h"
#include "dcm-manager/manager-messages.h"

static bool on_upgrade(void *userdata) {
    const Peer *p = userdata;

    return !p->manager->is_draining;
}

static const char *on_health(void *userdata) {
    const Peer *p = userdata;

    return manager_unfit(p->manager);
}

static void on_offer(const Offer *offer, void *userdata) {
    Peer *p = userdata;

    if (p->manager->is_draining)
        session_refuse(p->session, 503, "the manager is being drained");
    else
        peer_take_offer(p, offer);
}

static void on_message(const Message *message, void *userdata) {
    Peer *p = userdata;

    if (p->agent && message->type == MESSAGE_UNREGISTER)
        manager_unregister(p, message);
    else
        peer_take_message(p, message);
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
    peer_expel(p);
    peer_stop_probe(p);
    door_update(p->manager);
}

static void on_ended(void *userdata) {
    Peer *p = userdata;
    Manager *m = p->manager;

    peer_free(p);
    door_update(m);
}

static const SessionCallbacks session_callbacks = {
    .on_upgrade = on_upgrade,
    .on_health = on_health,
    .on_offer = on_offer,
    .on_message = on_message,
    .on_unreadable = on_unreadable,
    .on_closing = on_closing,
    .on_ended = on_ended,
};

static void on_accept(int fd, void *userdata) {
    door_take(userdata, fd);
}

/* The commit takes its turn after the sources that are ready now, and with it all that they write.
 */
static void on_begin(void *userdata) {
    Manager *m = userdata;

    (void)sd_event_source_set_enabled(m->commit, SD_EVENT_ONESHOT);
}

static int on_commit(sd_event_source *source, void *userdata) {
    Manager *m = userdata;
    int r;

    r = ledger_commit(m->store);
    if (r < 0) {
        m->store_failed_usec = now_usec(CLOCK_BOOTTIME);
        (void)log_error_errno(r, "What has just arrived cannot be stored: %m");
    }
    return 0;
}

static int on_expire(sd_event_source *source, uint64_t usec, void *userdata) {
    Manager *m = userdata;
    int r;

    r = ledger_expire_requests(m->store, REQUESTS_KEPT, EXPIRED_AT_ONCE);
    if (r < 0)
        (void)log_warning_errno(r, "Old requests cannot be removed: %m");
    (void)timer_arm_in(m->expire, r > 0 ? 0 : EXPIRE_EVERY_USEC);
    return 0;
}

/* Between the steps the answers of those who were told are read. */
static int on_farewell(sd_event_source *source, void *userdata) {
    Manager *m = userdata;
    Peer *p;

    for (unsigned i = 0; i < FAREWELLS_AT_ONCE && (p = m->peers[PEER_ACCEPTED].first); i++)
        session_close(p->session, CLOSE_GOING_AWAY, "the manager stops");
    if (!m->peers[PEER_ACCEPTED].first)
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;
}

static int on_farewell_end(sd_event_source *source, uint64_t usec, void *userdata) {
    Manager *m = userdata;

    log_warning("%u connections did not end in time", m->peers[PEER_CLOSING].n);
    for (PeerState state = 0; state < _PEER_STATE_MAX; state++)
        while (m->peers[state].first)
            peer_free(m->peers[state].first);
    return 0;
}

int manager_new(sd_event *event, Ledger *store, const ManagerOptions *options, Manager **ret) {
    _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));

    if (!m) {
        ledger_free(store);
        return -ENOMEM;
    }
    m->event = event;
    m->store = store;
    m->options = *options;
    m->session_callbacks = &session_callbacks;
    m->budget.left = RECEIVE_SIZE_MAX;
    m->options.session.budget = &m->budget;
    m->options.session.refusals = &m->counters.refusals;
    m->waiting_said = (RateLimit){.interval_usec = STRANGERS_SAID_USEC, .burst = STRANGERS_SAID};
    m->guesses_said = m->waiting_said;
    m->evicted_said = (RateLimit){.interval_usec = EVICTED_SAID_USEC, .burst = 1};
    TRY(poller_new(event, &m->poller));
    TRY(door_set_up(m));
    TRY(sd_event_add_defer(event, &m->commit, on_commit, m));
    TRY(sd_event_source_set_enabled(m->commit, SD_EVENT_OFF));
    ledger_set_group(store, on_begin, m);
    TRY(timer_new(event, USEC_PER_SEC, on_expire, m, &m->expire));
    TRY(timer_arm_in(m->expire, EXPIRE_EVERY_USEC));
    TRY(sd_event_add_defer(event, &m->farewell, on_farewell, m));
    TRY(sd_event_source_set_enabled(m->farewell, SD_EVENT_OFF));
    TRY(timer_new(event, 0, on_farewell_end, m, &m->farewell_end));
    TRY(drain_set_up(m));
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
    crowds_done(&m->crowds);
    sd_event_source_disable_unref(m->drain);
    sd_event_source_disable_unref(m->look);
    sd_event_source_disable_unref(m->commit);
    sd_event_source_disable_unref(m->expire);
    sd_event_source_disable_unref(m->farewell);
    sd_event_source_disable_unref(m->farewell_end);
    poller_free(m->poller);
    tls_server_unref(m->tls);
    ledger_free(m->store);
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

void manager_set_enrolment(Manager *m, EnrolmentMode mode) {
    m->options.enrolment = mode;
}

const TlsServer *manager_get_tls(const Manager *m) {
    return m->tls;
}

int manager_listen(Manager *m, int fd, char *ret, size_t size) {
    Listener *l;

    if (m->n_listeners == LISTENERS_MAX) {
        safe_close(fd);
        return -E2BIG;
    }
    TRY(listener_new(m->event, fd, on_accept, m, &l));
    m->listeners[m->n_listeners++] = l;
    if (ret)
        listener_describe(l, ret, size);
    return 0;
}

void manager_stop(Manager *m) {
    int r;

    m->is_stopping = true;
    stop_listening(m);
    (void)sd_event_source_set_enabled(m->look, SD_EVENT_OFF);
    r = ledger_note_all_disconnected(m->store);
    if (r < 0)
        (void)log_warning_errno(r, "The end of the connections cannot be stored: %m");
    while (m->peers[PEER_WAITING].first)
        peer_free(m->peers[PEER_WAITING].first);
    while (m->peers[PEER_SHAKING].first)
        peer_free(m->peers[PEER_SHAKING].first);
    (void)sd_event_source_set_enabled(m->farewell, SD_EVENT_ON);
    (void)timer_arm_in(m->farewell_end, FAREWELL_USEC);
    if (peers_are_gone(m))
        peers_count_changed(m);
}

Ledger *manager_get_store(Manager *m) {
    return m->store;
}

bool manager_is_idle(const Manager *m) {
    return peers_are_gone(m);
}

int manager_get_connection(Manager *m, const char *agent, int64_t *ret_since,
                           const char **ret_peer) {
    const Peer *p = peer_find(m, agent);

    if (!p)
        return -ENOTCONN;
    *ret_since = p->since;
    *ret_peer = session_peer(p->session);
    return 0;
}

int manager_drain(Manager *m, uint64_t within_usec) {
    return drain_begin(m, within_usec);
}

const char *manager_unfit(const Manager *m) {
    if (m->is_stopping)
        return "stopping";
    if (m->is_draining)
        return "draining";
    if (m->store_failed_usec > 0 && now_usec(CLOCK_BOOTTIME) < m->store_failed_usec + UNFIT_USEC)
        return "the database cannot be written";
    return m->peers[PEER_ACCEPTED].n >= m->peers_max[PEER_ACCEPTED] ? "full" : NULL;
}

unsigned manager_get_room(const Manager *m) {
    return m->peers_max[PEER_ACCEPTED];
}

const char *manager_any_connected(Manager *m) {
    const Peer *p = m->peers[PEER_ACCEPTED].first;

    return p ? p->agent : NULL;
}

/* What follows once a request is stored: an operator's order, or its end. */
typedef struct Submission {
    LedgerPromise promise;
    Manager *manager;
    bool is_cancelled;
    char *agent, *guid;
} Submission;

static void submission_free(Submission *s) {
    free(s->agent);
    free(s->guid);
    free(s);
}
DEFINE_CLEANUP(Submission *, submission_free)

static void on_submitted(LedgerPromise *promise, int error) {
    _cleanup_(submission_freep) Submission *s = (Submission *)promise;
    Peer *p = peer_find(s->manager, s->agent);

    if (error < 0)
        return; /* the control socket says so */
    if (p && !s->is_cancelled && p->guest.group == GUEST_UNUSED)
        peer_join_group(p, GUEST_NONE);
    if (p && p->delivery && s->is_cancelled)
        delivery_remove(p->delivery, s->guid);
    else if (p && p->delivery && delivery_add(p->delivery, s->guid) < 0)
        (void)log_oom(); /* it is stored, and is sent on the agent's next connection */
    if (s->is_cancelled)
        request_changed(s->manager, s->guid, ORDER_NACKED);
}

static int submission_new(Manager *m, const char *agent, const char *guid, Submission **ret) {
    _cleanup_(submission_freep) Submission *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->promise.done = on_submitted;
    s->manager = m;
    TRY(free_and_strdup(&s->agent, agent));
    TRY(free_and_strdup(&s->guid, guid));
    *ret = TAKE_PTR(s);
    return 0;
}

static int resubmit(Manager *m, const char *agent, const char *guid, const char *payload) {
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    OrderState next;

    TRY(ledger_get_request(m->store, guid, &request));
    if (!streq(request.agent, agent) || !ledger_request_is(&request, payload))
        return -EEXIST;
    next = order_next(request.state, ORDER_EVENT_SUBMIT);
    return next == request.state ? 0 : ledger_queue_request(m->store, guid, payload);
}

static int check_revoked(Manager *m, const char *agent) {
    _cleanup_(ledger_agent_done) LedgerAgent a = {};

    TRY(ledger_find_agent_by_id(m->store, agent, &a));
    return a.is_revoked ? -EKEYREVOKED : 0;
}

int manager_submit(Manager *m, const char *agent, const char *guid, const char *payload) {
    _cleanup_(submission_freep) Submission *s = NULL;
    int64_t n = ledger_count_open_requests(m->store, agent);
    int r;

    if (n < 0)
        return (int)n;
    if (n >= REQUESTS_OPEN_PER_AGENT_MAX)
        return -EDQUOT;
    TRY(check_revoked(m, agent));
    TRY(submission_new(m, agent, guid, &s));
    r = ledger_add_request(m->store, guid, agent, payload);
    if (r == -EEXIST)
        r = resubmit(m, agent, guid, payload);
    if (r < 0)
        return r;
    ledger_promise(m->store, &TAKE_PTR(s)->promise);
    return 0;
}

/* If it was sent after all, its reply still counts. */
static int cancel_queued(Manager *m, const char *guid, const char *agent) {
    _cleanup_(submission_freep) Submission *s = NULL;

    TRY(submission_new(m, agent, guid, &s));
    s->is_cancelled = true;
    TRY(ledger_set_request(m->store, guid, ORDER_NACKED, NULL, "cancelled before it was sent"));
    ledger_promise(m->store, &TAKE_PTR(s)->promise);
    return 0;
}

int manager_ask(Manager *m, MessageType type, const char *guid) {
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    Peer *p;

    TRY(ledger_get_request(m->store, guid, &request));
    p = peer_find(m, request.agent);
    if (request.state == ORDER_QUEUED)
        return type == MESSAGE_CANCEL ? cancel_queued(m, guid, request.agent) : -EAGAIN;
    if (!p)
        return -ENOTCONN;
    return peer_ask(p, type, guid);
}
