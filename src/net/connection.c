/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  WAITING ─▶ RESOLVING ─▶ CONNECTING ─▶ TLS ─▶ UPGRADING ─▶ HANDSHAKING ─▶ OPEN
 *     ▲                                                                      │
 *     └──────────────── fail(): from any state, with backoff ────────────────┘
 *
 * One timer: in WAITING the next attempt, in OPEN pings and silence, else the limit of the state.
 */
#include "net/connection.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "proto/backoff.h"
#include "proto/http-upgrade.h"

#define USER_AGENT "dcm-agent/" PROJECT_VERSION
#define ERROR_SIZE 320
/* a connection that lived this long and that the manager closes is remade without backoff */
#define STABLE_USEC (30 * USEC_PER_SEC)
#define CLOSE_GOING_AWAY 1001

struct Connection {
    sd_event *event;
    ConnectionCallbacks callbacks;
    void *userdata;
    ConnectionOptions options;
    ConnectionState state;
    Backoff backoff;
    sd_event_source *timer;
    Resolver *resolver;
    struct addrinfo *addresses, *next_address;
    int fd; /* while connecting */
    sd_event_source *connect_source;
    Stream *stream;
    char key[WEBSOCKET_KEY_SIZE];
    uint64_t open_since_usec, ping_due_usec;
    uint64_t forced_usec;   /* a pause that the manager asked for */
    char error[ERROR_SIZE]; /* of the attempt in progress, more precise than an errno */
};

static const struct {
    const char *name;
    uint64_t timeout_usec; /* 0: none of its own */
    const char *late;
} states[_CONNECTION_STATE_MAX] = {
    [CONNECTION_IDLE] = {"idle", 0, NULL},
    [CONNECTION_WAITING] = {"waiting", 0, NULL},
    [CONNECTION_RESOLVING] = {"resolving", 30 * USEC_PER_SEC,
                              "the name server does not answer; check /etc/resolv.conf"},
    [CONNECTION_CONNECTING] = {"connecting", 10 * USEC_PER_SEC,
                               "no answer; check firewall and route"},
    [CONNECTION_TLS] = {"securing", 30 * USEC_PER_SEC,
                        "TLS was not finished in time; is it a TLS port?"},
    [CONNECTION_UPGRADING] = {"upgrading", 30 * USEC_PER_SEC,
                              "no answer to the HTTP upgrade; check agentmanager_url"},
    [CONNECTION_HANDSHAKING] = {"handshaking", 60 * USEC_PER_SEC,
                                "the manager did not answer the handshake"},
    [CONNECTION_OPEN] = {"connected", 0, NULL},
};

static void begin_attempt(Connection *c);
static void try_next_address(Connection *c);

const char *connection_state_to_string(ConnectionState state) {
    return (unsigned)state < _CONNECTION_STATE_MAX ? states[state].name : NULL;
}

void connection_options_done(ConnectionOptions *o) {
    url_done(&o->url);
    free(o->tls.ca_cert);
    *o = (ConnectionOptions){};
}

static uint32_t random_u32(void) {
    uint32_t value = 0;

    /* early at boot there may be none yet: then there is no jitter, which is no reason to wait */
    return getrandom(&value, sizeof(value), GRND_NONBLOCK) == sizeof(value) ? value : 0;
}

static void set_timer(Connection *c, uint64_t at_usec) {
    (void)sd_event_source_set_time(c->timer, at_usec);
    (void)sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* The one place that writes the state. */
static void set_state(Connection *c, ConnectionState state) {
    c->state = state;
    if (states[state].timeout_usec > 0)
        set_timer(c, now_usec(CLOCK_BOOTTIME) + states[state].timeout_usec);
    else if (state == CONNECTION_IDLE)
        (void)sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
    c->callbacks.on_state(state, c->userdata);
}

static void drop_attempt(Connection *c) {
    c->resolver = resolver_free(c->resolver);
    c->connect_source = sd_event_source_disable_unref(c->connect_source);
    c->fd = safe_close(c->fd);
    c->stream = stream_free(c->stream);
    if (c->addresses)
        freeaddrinfo(c->addresses);
    c->addresses = c->next_address = NULL;
}

static uint64_t next_wait(Connection *c, bool peer_ended_stable) {
    uint64_t forced = c->forced_usec > 0 ? backoff_forced(c->forced_usec, random_u32()) : 0, wait;

    if (forced == 0 && peer_ended_stable)
        return 0;
    wait = backoff_next(&c->backoff, random_u32());
    return MAX(wait, forced); /* a manager that forces no pause must meet backoff too */
}

/* Ends the attempt or the connection, and says when the next one begins. */
static void fail(Connection *c, bool by_peer, const char *format, ...) _printf_(3, 4);
static void fail(Connection *c, bool by_peer, const char *format, ...) {
    uint64_t now = now_usec(CLOCK_BOOTTIME), wait;
    bool was_open = c->state == CONNECTION_OPEN;
    char text[ERROR_SIZE];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    drop_attempt(c);
    wait = next_wait(c, was_open && by_peer && now - c->open_since_usec >= STABLE_USEC);
    c->forced_usec = 0;
    set_timer(c, now + wait);
    c->callbacks.on_failure(text, was_open, wait, c->userdata);
    set_state(c, CONNECTION_WAITING);
}

static void send_ping_or_give_up(Connection *c) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    uint64_t dead = stream_last_received_usec(c->stream) + c->options.ping_usec * 5 / 2;

    if (now >= dead) {
        fail(c, false, "the manager has been silent for %" PRIu64 " s; check the network",
             c->options.ping_usec * 5 / 2 / USEC_PER_SEC);
        return;
    }
    if (now >= c->ping_due_usec) {
        (void)stream_send_ping(c->stream);
        c->ping_due_usec = now + c->options.ping_usec;
    }
    set_timer(c, MIN(c->ping_due_usec, dead));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Connection *c = userdata;

    if (c->state == CONNECTION_WAITING)
        begin_attempt(c);
    else if (c->state == CONNECTION_OPEN)
        send_ping_or_give_up(c);
    else if (c->state == CONNECTION_CONNECTING) {
        (void)snprintf(c->error, sizeof(c->error), "%s", states[c->state].late);
        try_next_address(c);
    } else if (c->state != CONNECTION_IDLE)
        fail(c, false, "%s", states[c->state].late);
    return 0;
}

static void take_answer(Connection *c, const char *text, size_t size) {
    _cleanup_(handshake_answer_done) HandshakeAnswer answer = {};

    if (handshake_answer_parse(text, size, &answer) < 0) {
        (void)snprintf(c->error, sizeof(c->error),
                       "the answer to the handshake is not understood; is this an agent manager?");
        stream_fail(c->stream, -EBADMSG);
        return;
    }
    switch (answer.return_code) {
    case HANDSHAKE_ACCEPTED:
        backoff_reset(&c->backoff);
        c->open_since_usec = now_usec(CLOCK_BOOTTIME);
        c->ping_due_usec = c->open_since_usec + c->options.ping_usec;
        set_timer(c, c->ping_due_usec);
        set_state(c, CONNECTION_OPEN);
        c->callbacks.on_open(&answer, c->userdata);
        return;
    case HANDSHAKE_TOKEN_STALE:
        (void)snprintf(c->error, sizeof(c->error),
                       "the token belongs to another server (409); a new one was made");
        c->callbacks.on_token_stale(c->userdata);
        break;
    case HANDSHAKE_UNAUTHORIZED:
        (void)snprintf(c->error, sizeof(c->error),
                       "the manager does not authorise this agent (401)");
        break;
    case HANDSHAKE_BUSY:
        c->forced_usec = MAX(answer.force_backoff_usec, (uint64_t)1);
        (void)snprintf(c->error, sizeof(c->error), "the manager asked for a pause (503)");
        break;
    default:
        (void)snprintf(c->error, sizeof(c->error), "the manager refused the handshake with code %d",
                       answer.return_code);
    }
    stream_send_close(c->stream, CLOSE_GOING_AWAY, NULL);
    stream_fail(c->stream, -ECONNREFUSED);
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Connection *c = userdata;

    if (c->state == CONNECTION_HANDSHAKING)
        take_answer(c, text, size);
    else {
        backoff_reset(&c->backoff);
        c->callbacks.on_message(text, size, is_text, c->userdata);
    }
}

static void on_secured(void *userdata) {
    Connection *c = userdata;
    _cleanup_free_ char *request = NULL;
    int r;

    set_state(c, CONNECTION_UPGRADING);
    r = websocket_key_generate(c->key);
    if (r >= 0)
        r = http_upgrade_request(&c->options.url, c->key, USER_AGENT, &request);
    if (r >= 0)
        r = stream_send_head(c->stream, request);
    if (r < 0)
        stream_fail(c->stream, r);
}

static int on_head(const char *head, size_t size, void *userdata) {
    Connection *c = userdata;
    _cleanup_free_ char *offer = NULL;
    HttpUpgradeResponse response;
    size_t offer_size = 0;
    int r;

    r = http_upgrade_response_check(head, size, c->key, &response);
    if (r < 0) {
        (void)snprintf(c->error, sizeof(c->error), "%s; check agentmanager_url", response.error);
        return r;
    }
    set_state(c, CONNECTION_HANDSHAKING);
    r = c->callbacks.make_offer(&offer, &offer_size, c->userdata);
    if (r < 0)
        return r;
    r = stream_send_text(c->stream, offer, offer_size);
    explicit_bzero(offer, offer_size); /* the token */
    return r;
}

static void on_closed(int error, void *userdata) {
    Connection *c = userdata;
    uint16_t code = stream_close_code(c->stream);

    if (c->error[0])
        ;
    else if (error == -ECONNABORTED)
        tls_client_explain(stream_get_transport(c->stream), c->options.url.host, c->error,
                           sizeof(c->error));
    else if (error == -EPROTO)
        (void)snprintf(c->error, sizeof(c->error), "the manager broke the WebSocket protocol");
    else if (error == -E2BIG)
        (void)snprintf(c->error, sizeof(c->error),
                       "the head of the server's answer is too long; check agentmanager_url");
    else if (error < 0)
        (void)snprintf(c->error, sizeof(c->error), "%s", strerror(-error));
    else if (code > 0)
        (void)snprintf(c->error, sizeof(c->error), "the manager closed the connection (code %u)",
                       code);
    else
        (void)snprintf(c->error, sizeof(c->error), "the manager closed the connection while %s",
                       states[c->state].name);
    fail(c, error == 0 || error == -ECONNRESET, "%s", c->error);
}

static void begin_stream(Connection *c) {
    static const StreamCallbacks callbacks = {
        .on_secured = on_secured,
        .on_head = on_head,
        .on_message = on_message,
        .on_closed = on_closed,
    };
    _cleanup_(transport_freep) Transport *transport = NULL;
    int r;

    c->connect_source = sd_event_source_disable_unref(c->connect_source);
    r = transport_new(TAKE_FD(c->fd), &transport);
    if (r >= 0 && c->options.url.tls)
        r = tls_client_start(transport, &c->options.tls, c->options.url.host, c->error,
                             sizeof(c->error));
    if (r >= 0)
        r = stream_new(c->event, TAKE_PTR(transport), true, &callbacks, c, &c->stream);
    if (r < 0) {
        fail(c, false, "%s", c->error[0] ? c->error : strerror(-r));
        return;
    }
    set_state(c, CONNECTION_TLS);
}

static int on_connected(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Connection *c = userdata;
    socklen_t size = sizeof(int);
    int error = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error == 0) {
        c->error[0] = 0;
        begin_stream(c);
        return 0;
    }
    (void)snprintf(c->error, sizeof(c->error), "%s", strerror(error));
    try_next_address(c);
    return 0;
}

static void set_socket_options(Connection *c) {
    unsigned timeout_msec = (unsigned)(c->options.ping_usec * 5 / 2 / USEC_PER_MSEC);
    int one = 1;

    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_msec, sizeof(timeout_msec));
}

static int connect_to(Connection *c, const struct addrinfo *a) {
    c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -errno;
    set_socket_options(c);
    if (connect(c->fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)
        return -errno;
    return sd_event_add_io(c->event, &c->connect_source, c->fd, EPOLLOUT, on_connected, c);
}

static void try_next_address(Connection *c) {
    while (c->next_address) {
        const struct addrinfo *a = c->next_address;
        int r;

        c->next_address = a->ai_next;
        c->connect_source = sd_event_source_disable_unref(c->connect_source);
        c->fd = safe_close(c->fd);
        r = connect_to(c, a);
        if (r >= 0) {
            set_state(c, CONNECTION_CONNECTING);
            return;
        }
        (void)snprintf(c->error, sizeof(c->error), "%s", strerror(-r));
    }
    fail(c, false, "%s port %u: %s", c->options.url.host, c->options.url.port,
         c->error[0] ? c->error : "the name has no address");
}

static void on_resolved(int error, struct addrinfo *list, void *userdata) {
    Connection *c = userdata;

    c->resolver = resolver_free(c->resolver);
    if (error != 0) {
        fail(c, false, "the name %s cannot be resolved: %s", c->options.url.host,
             error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return;
    }
    c->addresses = c->next_address = list;
    try_next_address(c);
}

static void begin_attempt(Connection *c) {
    int r;

    c->error[0] = 0;
    r = resolver_new(c->event, c->options.url.host, c->options.url.port, on_resolved, c,
                     &c->resolver);
    if (r < 0)
        fail(c, false, "the name cannot be looked up: %s", strerror(-r));
    else
        set_state(c, CONNECTION_RESOLVING);
}

int connection_new(sd_event *event, const ConnectionCallbacks *callbacks, void *userdata,
                   Connection **ret) {
    _cleanup_(connection_freep) Connection *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return -ENOMEM;
    c->fd = -1;
    c->event = event;
    c->callbacks = *callbacks;
    c->userdata = userdata;
    r = sd_event_add_time(event, &c->timer, CLOCK_BOOTTIME, 0, 0, on_timer, c);
    if (r < 0)
        return r;
    r = sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(c);
    return 0;
}

Connection *connection_free(Connection *c) {
    if (!c)
        return NULL;
    if (c->state == CONNECTION_OPEN)
        stream_send_close(c->stream, CLOSE_GOING_AWAY, NULL);
    drop_attempt(c);
    sd_event_source_disable_unref(c->timer);
    connection_options_done(&c->options);
    free(c);
    return NULL;
}

int connection_start(Connection *c, ConnectionOptions *options) {
    connection_stop(c);
    connection_options_done(&c->options);
    c->options = *options;
    *options = (ConnectionOptions){};
    backoff_init(&c->backoff, c->options.backoff_usec, c->options.max_backoff_usec);
    begin_attempt(c);
    return 0;
}

void connection_stop(Connection *c) {
    if (c->state == CONNECTION_IDLE)
        return;
    if (c->state == CONNECTION_OPEN)
        stream_send_close(c->stream, CLOSE_GOING_AWAY, NULL);
    drop_attempt(c);
    set_state(c, CONNECTION_IDLE);
}

ConnectionState connection_get_state(const Connection *c) {
    return c->state;
}

int connection_send(Connection *c, struct json_object *message) {
    const char *text;
    size_t size;

    if (c->state != CONNECTION_OPEN)
        return -ENOTCONN;
    text = json_to_text(message, &size);
    return text ? stream_send_text(c->stream, text, size) : -ENOMEM;
}
