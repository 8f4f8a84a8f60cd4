/* SPDX-License-Identifier: Apache-2.0 */
/* No stranger can keep others out. A connection costs a descriptor until its first bytes are
 * complete, and then a place among the handshakes. If places are short, the address with the most
 * connections gives one up: among waiting connections its oldest silent one, among handshakes one
 * that has gone silent or takes too long. So an address with few connections never loses one, and
 * among connections of one address active ones take precedence over silent ones. Free places go to
 * the address with the fewest handshakes.
 *
 * Everything is accepted at once: in the kernel's backlog connections would wait behind
 * strangers.
 *
 * When all agents come at once, they queue here, in the room that connected agents do not need yet:
 * waiting costs nothing, each further attempt costs both sides. Who finds the queue full, or would
 * be served after its patience has ended, is sent away before the handshake. */
#include "dcm-manager/manager-door.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "proto/http-head.h"
#include "proto/proxy-header.h"

#define DROPPED_AT_ONCE 16u /* so that not every new connection triggers a search */
#define SAID_EVERY_USEC (10 * USEC_PER_SEC)
#define KNOCK_SIZE ((size_t)4096)
#define TLS_HEAD_SIZE 5u  /* of a record, ... */
#define TLS_HANDSHAKE 22u /* ... and its type: RFC 8446, section 5.1 */

static void say_dropped(Manager *m, const Peer *p) {
    char peer[80] = "";
    unsigned missed;

    m->counters.n_dropped++;
    if (!ratelimit_below(&m->dropped, &missed))
        return;
    peer_describe(p, peer, sizeof(peer));
    log_info(
        "%s: closed: it sent no handshake, and other connections wait (%u more were not logged)",
        peer, missed);
}

static void say_shed(Manager *m) {
    unsigned missed;

    m->counters.n_shed++;
    if (ratelimit_below(&m->shed, &missed))
        log_warning("More agents come than this machine serves: some are sent away before the "
                    "handshake, and come back later (%u more were not logged)",
                    missed);
}

/* Without TLS it can be told when to come back; else it waits ever longer by itself. */
static void shed(Peer *p) {
    Manager *m = p->manager;
    char head[128];

    say_shed(m);
    if (!m->tls && p->guest.group == GUEST_KNOCKED) {
        (void)snprintf(head, sizeof(head),
                       "HTTP/1.1 503 Service Unavailable\r\nRetry-After: %u\r\n"
                       "Connection: close\r\nContent-Length: 0\r\n\r\n",
                       session_draw_return_sec(&m->options.session));
        (void)send(p->fd, head, strlen(head), MSG_DONTWAIT | MSG_NOSIGNAL);
        /* a close with unread bytes would take the answer back */
        (void)recv(p->fd, (char[KNOCK_SIZE]){}, KNOCK_SIZE, MSG_DONTWAIT);
    }
    peer_free(p);
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

/* There are never more addresses than connections. */
static int reserve(Manager *m) {
    size_t n = 1;

    for (PeerState state = 0; state < _PEER_STATE_MAX; state++)
        n += m->peers[state].n;
    return crowds_reserve(&m->crowds, n);
}

static void say_headless(Manager *m, const Peer *p) {
    char peer[80] = "";
    unsigned missed;

    if (!ratelimit_below(&m->headless, &missed))
        return;
    peer_describe(p, peer, sizeof(peer));
    log_warning("%s: closed: --proxy-protocol-from names it, and it sent no header of PROXY "
                "protocol 2; let it send one (HAProxy: send-proxy-v2), or remove its address there "
                "(%u more were not logged)",
                peer, missed);
}

static int move_to_client(Peer *p, const struct sockaddr_storage *client) {
    Manager *m = p->manager;
    PeerAddress *address = NULL;

    p->client = malloc(sizeof(*client));
    if (!p->client)
        return -ENOMEM;
    *p->client = *client;
    TRY(reserve(m));
    TRY(peer_address_ref_of(&m->by_address, client, &address));
    peer_set_address(p, address);
    return 0;
}

/* Takes the header of a proxy out of the socket. 1: done; 0: it is not complete. */
static int take_header(Peer *p, const char *data, size_t size) {
    struct sockaddr_storage client = {};
    char header[PROXY_HEADER_SIZE_MAX];
    ssize_t n;

    n = proxy_header_parse(data, size, &client);
    if (n == -EAGAIN)
        return 0;
    if (n < 0) {
        say_headless(p->manager, p);
        return (int)n;
    }
    if (recv(p->fd, header, (size_t)n, MSG_DONTWAIT) != n)
        return -EIO;
    p->awaits_header = false;
    if (client.ss_family != AF_UNSPEC)
        TRY(move_to_client(p, &client));
    return 1;
}

/* 1: the first bytes are complete; 0: they are not; negative: nobody is there any more, or a proxy
 * that does not say for whom. */
static int look_for_knock(Peer *p, bool has_ended) {
    char data[KNOCK_SIZE];
    size_t wanted;
    ssize_t n;
    int r;

    n = recv(p->fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n > 0 && p->awaits_header) {
        r = take_header(p, data, (size_t)n);
        if (r == 0 && has_ended)
            return -ENOTCONN;
        return r > 0 ? look_for_knock(p, has_ended) : r;
    }
    wanted = n > 0 ? MIN(knock_size(data, (size_t)n, p->manager->tls), sizeof(data)) : 0;
    if (n <= 0 || ((size_t)n < wanted && has_ended))
        return -ENOTCONN;
    return (size_t)n >= wanted;
}

static void note_knock(Peer *p) {
    peer_join_group(p, GUEST_KNOCKED);
    poll_source_stop(p->knock);
}

/* The manager may not have looked yet whether it has spoken. */
static void drop_unless_knocked(Peer *p) {
    if (look_for_knock(p, false) > 0) {
        note_knock(p);
        return;
    }
    say_dropped(p->manager, p);
    peer_free(p);
}

/* Some of the address with most of them, the oldest first. */
static void drop_silent(Manager *m) {
    PeerAddress *address = crowds_silent(&m->crowds)->address;
    bool is_last = false;
    Guest *g;

    for (unsigned n = 0; n < DROPPED_AT_ONCE && !is_last; n++) {
        g = address->groups[GUEST_SILENT].first;
        if (!g)
            break;
        is_last = address->n_references == 1; /* the address may be freed with it */
        drop_unless_knocked(peer_of(g));
    }
}

/* Whose address has more that wait. */
static void drop_waiting(Manager *m) {
    Guest *silent = crowds_silent(&m->crowds), *knocked = crowds_knocked(&m->crowds);

    if (silent &&
        (!knocked || silent->address->n[PEER_WAITING] >= knocked->address->n[PEER_WAITING]))
        drop_silent(m);
    else
        shed(peer_of(knocked));
}

static unsigned queue_max(const Manager *m) {
    unsigned all = m->peers_max[PEER_ACCEPTED], used = MIN(m->peers[PEER_ACCEPTED].n, all);

    return m->peers_max[PEER_WAITING] + MIN(all - used, SESSIONS_QUEUE_MAX);
}

static bool is_crowded(const Manager *m) {
    return m->crowds.n[GUEST_SILENT] > m->peers_max[PEER_WAITING] ||
           m->peers[PEER_WAITING].n > queue_max(m);
}

static bool has_its_share(const Peer *p) {
    return p->guest.address->n[PEER_SHAKING] >=
           SHAKING_OF_ADDRESS(p->manager->peers_max[PEER_SHAKING]);
}

static void start(Peer *p);

/* Begins the handshake of the next one. False: nobody may begin now. */
static bool start_next(Manager *m) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    Peer *next = peer_of(crowds_next(&m->crowds));

    if (!next || m->peers[PEER_SHAKING].n >= m->peers_max[PEER_SHAKING] || has_its_share(next))
        return false;
    if (now >= next->guest.arrived_usec + QUEUE_USEC)
        shed(next);
    else if (pace_take(&m->handshakes, now))
        start(next);
    else
        return false;
    return true;
}

static void start(Peer *p) {
    int r;

    p->knock = poll_source_free(p->knock);
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
        at = oldest->guest.arrived_usec + m->options.session.handshake_usec;
    if (m->crowds.n[GUEST_KNOCKED] > 0)
        at = MIN(at, now + SHAKING_LOOK_USEC);
    (void)timer_arm(m->look, oldest ? at : UINT64_MAX);
}

void door_update(Manager *m) {
    if (m->is_stopping || m->is_updating)
        return;
    m->is_updating = true;
    while (m->peers[PEER_CLOSING].n > m->peers_max[PEER_CLOSING])
        peer_free(m->peers[PEER_CLOSING].first);
    while (m->crowds.n[GUEST_SILENT] > m->peers_max[PEER_WAITING])
        drop_silent(m);
    while (m->peers[PEER_WAITING].n > queue_max(m))
        drop_waiting(m);
    while (start_next(m))
        ;
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

/* There are SESSIONS_SHAKING_MAX at most. */
static Peer *find_silent_shaking(const Manager *m) {
    Peer *found = NULL;

    for (Peer *p = m->peers[PEER_SHAKING].first; p; p = p->next)
        if ((!found || p->guest.address->n[PEER_SHAKING] > found->guest.address->n[PEER_SHAKING]) &&
            has_gone_silent(p))
            found = p;
    return found;
}

/* If places are left, those that wait are of an address that has its share already. */
static bool drop_shaking(Manager *m) {
    Peer *p = find_silent_shaking(m);

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
           usec >= p->guest.arrived_usec + m->options.session.handshake_usec)
        drop(p);
    for (n = MIN(DROPPED_AT_ONCE, m->crowds.n[GUEST_KNOCKED]);
         n > 0 && m->crowds.n[GUEST_KNOCKED] > 0 && drop_shaking(m); n--)
        ;
    door_update(m); /* the pace may allow the next ones */
    return 0;
}

/* A connection that stops within its first bytes counts as silent. */
static void on_knock(int fd, uint32_t revents, void *userdata) {
    Peer *p = userdata;
    Manager *m = p->manager;
    int r;

    r = look_for_knock(p, revents & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    if (r == 0)
        return;
    if (r < 0)
        peer_free(p);
    else
        note_knock(p);
    door_update(m);
}

static bool is_proxy(const Manager *m, int fd) {
    struct sockaddr_storage address = {};
    socklen_t size = sizeof(address);

    (void)getpeername(fd, (struct sockaddr *)&address, &size);
    for (size_t i = 0; i < m->options.n_proxies; i++)
        if (address_range_has(&m->options.proxies[i], &address))
            return true;
    return false;
}

static int admit_to_door(Manager *m, int fd) {
    static const PollCallbacks callbacks = {.on_io = on_knock};
    _cleanup_free_ Peer *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return -ENOMEM;
    TRY(reserve(m));
    TRY(peer_address_ref(&m->by_address, fd, &p->guest.address));
    r = poll_source_new(m->poller, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, &callbacks, p, &p->knock);
    if (r < 0) {
        peer_address_unref(&m->by_address, p->guest.address);
        return r;
    }
    p->manager = m;
    p->fd = fd;
    p->awaits_header = is_proxy(m, fd);
    p->guest.group = GUEST_NONE;
    p->guest.arrived_usec = now_usec(CLOCK_BOOTTIME);
    peer_enter(p, PEER_WAITING);
    peer_join_group(TAKE_PTR(p), GUEST_SILENT);
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
    if (m->peers[PEER_WAITING].n == 1 || is_crowded(m))
        door_update(m);
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
    crowded = peer_of(crowds_unused(&m->crowds));
    if (!crowded)
        return -EDQUOT;
    /* an unused agent may only displace one whose address has more of them */
    if (!(known && known->is_used) &&
        crowded->guest.address->n[PEER_ACCEPTED] <= p->guest.address->n[PEER_ACCEPTED] + 1)
        return -EDQUOT;
    session_close(crowded->session, CLOSE_TRY_LATER, "other agents have no room");
    return 0;
}

int door_set_up(Manager *m) {
    unsigned all = m->options.sessions_max;

    m->dropped = (RateLimit){.interval_usec = SAID_EVERY_USEC, .burst = 1};
    m->headless = m->shed = m->slowed = m->dropped;
    m->handshakes.per_sec = m->options.handshakes_per_sec;
    m->new_agents.per_sec = m->options.new_agents_per_sec;
    m->peers_max[PEER_WAITING] = MIN(SESSIONS_WAITING_MAX, all / 8);
    m->peers_max[PEER_SHAKING] = MIN(SESSIONS_SHAKING_MAX, all / 8);
    m->peers_max[PEER_CLOSING] = MIN(SESSIONS_CLOSING_MAX, all / 8);
    m->peers_max[PEER_ACCEPTED] =
        all - m->peers_max[PEER_WAITING] - m->peers_max[PEER_SHAKING] - m->peers_max[PEER_CLOSING];
    crowds_init(&m->crowds);
    return timer_new(m->event, 0, on_look, m, &m->look);
}
