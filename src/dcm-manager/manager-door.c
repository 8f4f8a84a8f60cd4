/* SPDX-License-Identifier: Apache-2.0 */
/* No stranger can keep others out. A connection costs a descriptor until its first bytes are
 * complete, and then a place among the handshakes. If places are short, the address with the most
 * connections gives one up: among waiting connections its oldest silent one, among handshakes one
 * that has gone silent or takes too long. So an address with few connections never loses one, and
 * among connections of one address active ones take precedence over silent ones. Free places go to
 * the address with the fewest handshakes.
 *
 * Everything is accepted at once: in the kernel's backlog connections would wait behind
 * strangers. */
#include "dcm-manager/manager-door.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "proto/http-head.h"

#define DROPPED_AT_ONCE 16u /* so that not every new connection triggers a search */
#define SAID_EVERY_USEC (10 * USEC_PER_SEC)
#define KNOCK_SIZE ((size_t)4096)
#define TLS_HEAD_SIZE 5u  /* of a record, ... */
#define TLS_HANDSHAKE 22u /* ... and its type: RFC 8446, section 5.1 */

/* The peer in that state whose address has the most of them, among those that may be dropped. */
static Peer *find_crowded(const Manager *m, PeerState state, bool (*may_go)(const Peer *p)) {
    Peer *found = NULL;

    for (Peer *p = m->peers[state].first; p; p = p->next)
        if ((!found || p->address->n[state] > found->address->n[state]) && may_go(p))
            found = p;
    return found;
}

static void say_dropped(Manager *m, const Peer *p) {
    char peer[80] = "";
    unsigned missed;

    if (!ratelimit_below(&m->dropped, &missed))
        return;
    if (p->session)
        (void)snprintf(peer, sizeof(peer), "%s", session_peer(p->session));
    else
        socket_describe_peer(p->fd, peer, sizeof(peer));
    log_info(
        "%s: closed: it sent no handshake, and other connections wait (%u more were not logged)",
        peer, missed);
}

static bool is_any(const Peer *p) {
    return true;
}

/* Drops the address's silent connections, oldest first; if all are active, the newest one. */
static void drop_waiting(Manager *m) {
    Peer *crowded = find_crowded(m, PEER_WAITING, is_any), *next;
    PeerAddress *address = crowded->address;
    unsigned n = 0;

    for (Peer *p = crowded; p && n < DROPPED_AT_ONCE; p = next) {
        next = p->next;
        if (p->address != address || p->knocked)
            continue;
        say_dropped(m, p);
        n++;
        /* the address is freed with its last connection */
        if (address->n_references == 1)
            next = NULL;
        peer_free(p);
    }
    for (Peer *p = m->peers[PEER_WAITING].last; p && n == 0; p = next) {
        next = p->previous;
        if (p->address != address)
            continue;
        say_dropped(m, p);
        n++;
        peer_free(p);
    }
}

static bool has_its_share(const Peer *p) {
    return p->address->n[PEER_SHAKING] >= SHAKING_OF_ADDRESS(p->manager->peers_max[PEER_SHAKING]);
}

/* Among those whose first bytes have arrived, the first one of the address with the fewest
 * handshakes. */
static Peer *find_next(const Manager *m) {
    Peer *found = NULL;

    if (m->n_knocked == 0 || m->peers[PEER_SHAKING].n >= m->peers_max[PEER_SHAKING])
        return NULL;
    for (Peer *p = m->peers[PEER_WAITING].first; p; p = p->next)
        if (p->knocked && !has_its_share(p) &&
            (!found || p->address->n[PEER_SHAKING] < found->address->n[PEER_SHAKING]))
            found = p;
    return found;
}

static void start(Peer *p) {
    Manager *m = p->manager;
    int r;

    p->knock = poll_source_free(p->knock);
    m->n_knocked--;
    p->started_usec = now_usec(CLOCK_BOOTTIME);
    peer_enter(p, PEER_SHAKING);
    r = peer_start(p, TAKE_FD(p->fd));
    if (r < 0) {
        (void)log_warning_errno(r, "A connection cannot be accepted: %m");
        peer_free(p);
    }
}

static void set_look(Manager *m) {
    const Peer *oldest = m->peers[PEER_WAITING].first;
    uint64_t now = now_usec(CLOCK_BOOTTIME), at = UINT64_MAX;

    if (oldest)
        at = oldest->arrived_usec + m->options.session.handshake_usec;
    if (m->n_knocked > 0)
        at = MIN(at, now + SHAKING_LOOK_USEC);
    (void)timer_arm(m->look, oldest ? at : UINT64_MAX);
}

void door_update(Manager *m) {
    Peer *next;

    if (m->is_stopping || m->is_updating)
        return;
    m->is_updating = true;
    while (m->peers[PEER_CLOSING].n > m->peers_max[PEER_CLOSING])
        peer_free(m->peers[PEER_CLOSING].first);
    while (m->peers[PEER_WAITING].n > m->peers_max[PEER_WAITING])
        drop_waiting(m);
    while ((next = find_next(m)))
        start(next);
    m->is_updating = false;
    set_look(m);
}

/* Frees its place. */
static void drop(Peer *p) {
    Manager *m = p->manager;

    peer_free(p);
    door_update(m);
}

/* One whose bytes wait for a busy manager is not silent. */
static bool has_gone_silent(const Peer *p) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);

    if (p->is_probing)
        return false;
    return now >= p->started_usec + SHAKING_PATIENCE_USEC ||
           (now >= session_last_received_usec(p->session) + SILENCE_USEC &&
            !session_has_unread(p->session));
}

/* If places are left, those that wait are of an address that has its share already. */
static bool drop_shaking(Manager *m) {
    Peer *p = find_crowded(m, PEER_SHAKING, has_gone_silent);

    if (!p || (m->peers[PEER_SHAKING].n < m->peers_max[PEER_SHAKING] && !has_its_share(p)))
        return false;
    say_dropped(m, p);
    drop(p); /* the next one advances */
    return true;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
    Manager *m = userdata;
    unsigned n;
    Peer *p;

    while ((p = m->peers[PEER_WAITING].first) &&
           usec >= p->arrived_usec + m->options.session.handshake_usec)
        drop(p);
    for (n = MIN(DROPPED_AT_ONCE, m->n_knocked); n > 0 && m->n_knocked > 0 && drop_shaking(m); n--)
        ;
    set_look(m);
    return 0;
}

/* Size of the first bytes: a TLS record, or the head of an HTTP request; at most KNOCK_SIZE. The
 * session reports anything else as an error. */
static size_t knock_size(const char *data, size_t size, bool tls) {
    const uint8_t *head = (const uint8_t *)data;

    if (!tls)
        return http_head_size(data, size) == -EAGAIN ? size + 1 : size;
    if (size < TLS_HEAD_SIZE)
        return TLS_HEAD_SIZE;
    return head[0] == TLS_HANDSHAKE ? TLS_HEAD_SIZE + (size_t)(head[3] << 8 | head[4]) : size;
}

/* More bytes have arrived, or the peer has disconnected. A connection that stops within its first
 * bytes counts as silent. */
static void on_knock(int fd, uint32_t revents, void *userdata) {
    Peer *p = userdata;
    char data[KNOCK_SIZE];
    size_t wanted;
    ssize_t n;

    n = recv(fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    wanted = n > 0 ? MIN(knock_size(data, (size_t)n, p->manager->tls), sizeof(data)) : 0;
    if (n <= 0 || ((size_t)n < wanted && revents & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        drop(p);
        return;
    }
    if ((size_t)n < wanted)
        return;
    p->knocked = true;
    p->manager->n_knocked++;
    poll_source_stop(p->knock);
    door_update(p->manager);
}

static int admit_to_door(Manager *m, int fd) {
    static const PollCallbacks callbacks = {.on_io = on_knock};
    _cleanup_free_ Peer *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return -ENOMEM;
    TRY(peer_address_ref(&m->by_address, fd, &p->address));
    r = poll_source_new(m->poller, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, &callbacks, p, &p->knock);
    if (r < 0) {
        peer_address_unref(&m->by_address, p->address);
        return r;
    }
    p->manager = m;
    p->fd = fd;
    p->arrived_usec = now_usec(CLOCK_BOOTTIME);
    peer_enter(TAKE_PTR(p), PEER_WAITING);
    return 0;
}

void door_take(Manager *m, int fd) {
    int r;

    r = admit_to_door(m, fd);
    if (r < 0) {
        safe_close(fd);
        (void)log_warning_errno(r, "A connection cannot be accepted: %m");
        return;
    }
    if (m->peers[PEER_WAITING].n == 1 || m->peers[PEER_WAITING].n > m->peers_max[PEER_WAITING])
        door_update(m);
}

static bool is_unused(const Peer *p) {
    return !p->is_used;
}

/* How many agents may be connected when one of this kind arrives. */
static unsigned room_for(const Manager *m, const LedgerAgent *known) {
    unsigned all = m->peers_max[PEER_ACCEPTED];

    if (known && known->is_used)
        return all;
    return all / 8 * (known ? EIGHTHS_FOR_UNUSED : EIGHTHS_FOR_NEW);
}

int door_make_room(const Peer *p, const LedgerAgent *known) {
    Manager *m = p->manager;
    Peer *crowded;

    if (known && peer_find(m, known->id)) /* it replaces its own connection */
        return 0;
    if (m->peers[PEER_ACCEPTED].n < room_for(m, known))
        return 0;
    crowded = find_crowded(m, PEER_ACCEPTED, is_unused);
    if (!crowded)
        return -EDQUOT;
    /* an unused agent may only displace one whose address has more of them */
    if (!(known && known->is_used) &&
        crowded->address->n[PEER_ACCEPTED] <= p->address->n[PEER_ACCEPTED] + 1)
        return -EDQUOT;
    session_close(crowded->session, CLOSE_TRY_LATER, "other agents have no room");
    return 0;
}

int door_set_up(Manager *m) {
    unsigned all = m->options.sessions_max;

    m->dropped = (RateLimit){.interval_usec = SAID_EVERY_USEC, .burst = 1};
    m->peers_max[PEER_WAITING] = MIN(SESSIONS_WAITING_MAX, all / 8);
    m->peers_max[PEER_SHAKING] = MIN(SESSIONS_SHAKING_MAX, all / 8);
    m->peers_max[PEER_CLOSING] = MIN(SESSIONS_CLOSING_MAX, all / 8);
    m->peers_max[PEER_ACCEPTED] =
        all - m->peers_max[PEER_WAITING] - m->peers_max[PEER_SHAKING] - m->peers_max[PEER_CLOSING];
    return timer_new(m->event, 0, on_look, m, &m->look);
}
