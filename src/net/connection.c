/* SPDX-License-Identifier: Apache-2.0 */
/*
 *            ┌────────── the dialer ──────────┐
 *  WAITING ─▶ RESOLVING ─▶ CONNECTING ─▶ PROXYING ─▶ TLS ─▶ UPGRADING ─▶ HANDSHAKING ─▶ OPEN
 *     ▲                                                                                  │
 *     └────────────────────── fail(): from any state, with backoff ──────────────────────┘
 *
 * One timer: in WAITING the next attempt, in OPEN pings and silence, else the limit of the state.
 */
#include "net/connection.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "basic/bounds.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "net/dialer.h"
#include "net/stream.h"
#include "proto/backoff.h"
#include "proto/http-upgrade.h"

#define USER_AGENT "dcm-agent/" PROJECT_VERSION
#define ERROR_SIZE 640
#define PEER_SIZE 96
#define STABLE_USEC (30 * USEC_PER_SEC) /* docs/protocol, section 1 */
#define HANGING_USEC USEC_PER_SEC       /* a wake-up restarts an attempt that hangs longer */
#define CLOSE_GOING_AWAY 1001

struct Connection {
    sd_event *event;
    Poller *poller; /* of the stream */
    ConnectionCallbacks callbacks;
    void *userdata;
    ConnectionOptions options;
    TlsClient *tls, *proxy_tls;
    ConnectionState state;
    Backoff backoff;
    sd_event_source *timer;
    Dialer *dialer;
    Stream *stream;
    char key[WEBSOCKET_KEY_SIZE];
    uint64_t begun_usec; /* of the attempt */
    uint64_t open_since_usec, ping_due_usec;
    uint64_t forced_usec; /* a pause that the manager requested */
    bool is_forced;       /* the current WAITING is that pause */
    unsigned n_failures;  /* in a row */
    ConnectionFault fault;
    char error[ERROR_SIZE]; /* of the current attempt; more precise than an errno */
    char peer[PEER_SIZE], tls_text[PEER_SIZE];
    uint64_t certificate_end_usec;
};

#define TO(state) (1u << CONNECTION_##state)

static const struct {
    const char *name;
    uint64_t timeout_usec; /* 0: no limit */
    const char *late;      /* why the time limit expired; NULL: the dialer explains */
    ConnectionFault fault; /* the fault of a failure in this state */
    unsigned next;         /* bits of permitted next states, besides IDLE and WAITING */
} states[_CONNECTION_STATE_MAX] = {
    [CONNECTION_IDLE] = {"idle", .next = TO(RESOLVING)},
    [CONNECTION_WAITING] = {"waiting", .next = TO(RESOLVING)},
    [CONNECTION_RESOLVING] = {"resolving", 30 * USEC_PER_SEC, NULL, CONNECTION_FAULT_NAME,
                              TO(RESOLVING) | TO(CONNECTING)},
    [CONNECTION_CONNECTING] = {"connecting", 30 * USEC_PER_SEC, NULL, CONNECTION_FAULT_TCP,
                               TO(RESOLVING) | TO(PROXYING) | TO(TLS)},
    [CONNECTION_PROXYING] = {"proxying", 30 * USEC_PER_SEC, NULL, CONNECTION_FAULT_PROXY, TO(TLS)},
    [CONNECTION_TLS] = {"securing", 30 * USEC_PER_SEC,
                        "it was not finished in time; is it a TLS port?", CONNECTION_FAULT_TLS,
                        TO(UPGRADING)},
    [CONNECTION_UPGRADING] = {"upgrading", 30 * USEC_PER_SEC,
                              "no answer to the upgrade; check agentmanager_url",
                              CONNECTION_FAULT_HTTP, TO(HANDSHAKING)},
    [CONNECTION_HANDSHAKING] = {"handshaking", 60 * USEC_PER_SEC,
                                "the manager did not answer; is it an agent manager?",
                                CONNECTION_FAULT_HANDSHAKE, TO(OPEN)},
    [CONNECTION_OPEN] = {"connected", .fault = CONNECTION_FAULT_LINK},
};

static const char *const faults[_CONNECTION_FAULT_MAX] = {
    [CONNECTION_FAULT_NONE] = "",           [CONNECTION_FAULT_NAME] = "DNS",
    [CONNECTION_FAULT_ROUTE] = "route",     [CONNECTION_FAULT_TCP] = "TCP",
    [CONNECTION_FAULT_PROXY] = "proxy",     [CONNECTION_FAULT_TLS] = "TLS",
    [CONNECTION_FAULT_HTTP] = "HTTP",       [CONNECTION_FAULT_HANDSHAKE] = "handshake",
    [CONNECTION_FAULT_LINK] = "connection",
};

const char *connection_state_to_string(ConnectionState state) {
    return (unsigned)state < _CONNECTION_STATE_MAX ? states[state].name : NULL;
}

const char *connection_fault_to_string(ConnectionFault fault) {
    return (unsigned)fault < _CONNECTION_FAULT_MAX ? faults[fault] : NULL;
}

void connection_options_done(ConnectionOptions *o) {
    url_done(&o->url);
    proxy_done(&o->proxy);
    tls_options_done(&o->tls);
    tls_options_done(&o->proxy_tls);
    *o = (ConnectionOptions){};
}

static uint32_t random_u32(void) {
    uint32_t value = 0;

    /* early at boot there may be none; then there is no jitter */
    return getrandom(&value, sizeof(value), GRND_NONBLOCK) == sizeof(value) ? value : 0;
}

/* The waits before attempts are exact; other timers may share wake-ups. */
static void set_timer(Connection *c, uint64_t at_usec) {
    (void)sd_event_source_set_time_accuracy(c->timer,
                                            c->state == CONNECTION_WAITING ? USEC_PER_MSEC : 0);
    (void)timer_arm(c->timer, at_usec);
}

/* Only this function writes the state. */
static void set_state(Connection *c, ConnectionState state) {
    assert(state <= CONNECTION_WAITING || states[c->state].next & 1u << state);

    c->state = state;
    if (states[state].timeout_usec > 0)
        set_timer(c, now_usec(CLOCK_BOOTTIME) + states[state].timeout_usec);
    else if (state == CONNECTION_IDLE)
        timer_disarm(c->timer);
    if (c->callbacks.on_state)
        c->callbacks.on_state(state, c->userdata);
}

static void progress(Connection *c, const char *found) {
    if (c->callbacks.on_progress)
        c->callbacks.on_progress(c->state, found, c->userdata);
}

static void drop_attempt(Connection *c) {
    c->dialer = dialer_free(c->dialer);
    c->stream = stream_free(c->stream);
    c->peer[0] = c->tls_text[0] = 0;
    c->certificate_end_usec = 0;
}

static BackoffCause cause_of(const Connection *c, bool by_peer, uint64_t now) {
    if (c->state != CONNECTION_OPEN)
        return BACKOFF_FAILED;
    if (now - c->open_since_usec < STABLE_USEC)
        return BACKOFF_SHORT;
    return by_peer ? BACKOFF_ENDED : BACKOFF_LOST;
}

/* Ends the attempt or the connection, and schedules the next one. */
static void fail(Connection *c, ConnectionFault fault, bool by_peer, const char *format, ...)
    _printf_(4, 5);
static void fail(Connection *c, ConnectionFault fault, bool by_peer, const char *format, ...) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    BackoffCause cause = cause_of(c, by_peer, now);
    ConnectionFailure failure = {.fault = fault, .was_open = c->state == CONNECTION_OPEN};
    char text[ERROR_SIZE];
    int prefix;
    va_list ap;

    prefix = utf8_format(text, sizeof(text), "%s: ", faults[fault]);
    va_start(ap, format);
    (void)utf8_format_list(text + prefix, sizeof(text) - (size_t)prefix, format, ap);
    va_end(ap);

    drop_attempt(c);
    c->fault = fault;
    c->n_failures = cause == BACKOFF_ENDED || cause == BACKOFF_LOST ? 1 : c->n_failures + 1;
    c->is_forced = c->forced_usec > 0;
    failure.text = text;
    failure.n = c->n_failures;
    failure.wait_usec = backoff_next(&c->backoff, cause, c->forced_usec, random_u32());
    failure.n_short = c->backoff.n_short;
    c->forced_usec = 0;
    set_state(c, CONNECTION_WAITING);
    set_timer(c, now + failure.wait_usec);
    if (c->callbacks.on_failure)
        c->callbacks.on_failure(&failure, c->userdata);
}

static void send_ping_or_give_up(Connection *c) {
    uint64_t now = now_usec(CLOCK_BOOTTIME), dead;

    stream_note_progress(c->stream);
    dead = stream_last_alive_usec(c->stream) + c->options.ping_usec * 5 / 2;

    if (now >= dead) {
        fail(c, CONNECTION_FAULT_LINK, false,
             "the manager has been silent for %g s; check the network",
             (double)c->options.ping_usec * 2.5 / (double)USEC_PER_SEC);
        return;
    }
    if (now >= c->ping_due_usec) {
        (void)stream_send_ping(c->stream);
        c->ping_due_usec = now + c->options.ping_usec;
    }
    set_timer(c, MIN(c->ping_due_usec, dead));
}

static ConnectionFault fault_of(DialerFault fault) {
    static const ConnectionFault map[] = {
        [DIALER_NAME] = CONNECTION_FAULT_NAME,
        [DIALER_ROUTE] = CONNECTION_FAULT_ROUTE,
        [DIALER_TCP] = CONNECTION_FAULT_TCP,
        [DIALER_PROXY] = CONNECTION_FAULT_PROXY,
    };

    return map[fault];
}

static void give_up_late(Connection *c) {
    ConnectionFault fault = states[c->state].fault;

    (void)utf8_format(c->error, sizeof(c->error), "%s", strempty(states[c->state].late));
    if (!states[c->state].late)
        fault = fault_of(dialer_explain_late(c->dialer, c->error, sizeof(c->error)));
    fail(c, fault, false, "%s", c->error);
}

static void refuse_answer(Connection *c, const char *fault) {
    if (fault)
        (void)snprintf(c->error, sizeof(c->error),
                       "in the manager's answer %s; correct this server's entry in the manager",
                       fault);
    else
        (void)snprintf(c->error, sizeof(c->error),
                       "the answer is not understood; is this an agent manager?");
    stream_fail(c->stream, -EBADMSG);
}

static void accept_answer(Connection *c, const HandshakeAnswer *answer) {
    progress(c, answer->agent_id);
    stream_trust(c->stream);
    backoff_reset(&c->backoff);
    if (c->tls_text[0])
        tls_client_remember(c->tls, stream_get_transport(c->stream));
    c->open_since_usec = now_usec(CLOCK_BOOTTIME);
    c->ping_due_usec = c->open_since_usec + c->options.ping_usec;
    set_timer(c, c->ping_due_usec);
    set_state(c, CONNECTION_OPEN);
    if (c->callbacks.on_open)
        c->callbacks.on_open(answer, c->userdata);
}

static void take_refusal(Connection *c, const HandshakeAnswer *answer) {
    handshake_refusal_format(answer, c->error, sizeof(c->error));
    if (answer->return_code == HANDSHAKE_TOKEN_STALE && c->callbacks.on_token_stale)
        c->callbacks.on_token_stale(c->userdata);
    if (answer->return_code == HANDSHAKE_BUSY)
        c->forced_usec = MAX(answer->force_backoff_usec, (uint64_t)1);
    stream_send_close(c->stream, CLOSE_GOING_AWAY, NULL);
    stream_fail(c->stream, -ECONNREFUSED);
}

static void take_answer(Connection *c, const char *text, size_t size) {
    _cleanup_(handshake_answer_done) HandshakeAnswer answer = {};
    _cleanup_free_ char *fault = NULL;

    if (handshake_answer_parse(text, size, &answer, &fault) < 0)
        refuse_answer(c, fault);
    else if (answer.return_code == HANDSHAKE_ACCEPTED)
        accept_answer(c, &answer);
    else
        take_refusal(c, &answer);
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Connection *c = userdata;

    if (c->state == CONNECTION_HANDSHAKING) {
        take_answer(c, text, size);
        return;
    }
    backoff_reset(&c->backoff);
    if (c->callbacks.on_message)
        c->callbacks.on_message(text, size, is_text, c->userdata);
}

static void on_secured(void *userdata) {
    Connection *c = userdata;
    Transport *t = stream_get_transport(c->stream);
    _cleanup_free_ char *request = NULL;
    int r;

    if (c->options.url.tls) {
        tls_client_describe(c->tls, t, c->tls_text, sizeof(c->tls_text));
        c->certificate_end_usec = tls_client_not_after_usec(t);
    }
    progress(c, c->tls_text[0] ? c->tls_text : "not used");
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
    HttpAnswer response;
    size_t offer_size = 0;
    int r;

    r = http_upgrade_response_check(head, size, c->key, &response);
    if (r < 0) {
        c->forced_usec = response.retry_after_usec;
        (void)utf8_format(c->error, sizeof(c->error), "%s", response.error);
        return r;
    }
    progress(c, "101");
    set_state(c, CONNECTION_HANDSHAKING);
    TRY(c->callbacks.make_offer(&offer, &offer_size, c->userdata));
    r = stream_send_text(c->stream, offer, offer_size);
    explicit_bzero(offer, offer_size); /* the token */
    return r;
}

/* With TLS 1.3 an alert about the client certificate arrives after the handshake. */
static ConnectionFault explain_closed(Connection *c, int error) {
    uint16_t code = stream_close_code(c->stream);
    ConnectionFault fault = states[c->state].fault;

    if (c->error[0])
        return fault;
    switch (error) {
    case -ECONNABORTED: /* from TLS or from the kernel */
        if (!transport_get_session(stream_get_transport(c->stream))) {
            (void)utf8_format(c->error, sizeof(c->error), "%s", strerror(-error));
            return fault;
        }
        tls_client_explain(c->tls, stream_get_transport(c->stream), c->error, sizeof(c->error));
        return CONNECTION_FAULT_TLS;
    case -EPROTO:
        (void)snprintf(c->error, sizeof(c->error), "the manager broke the WebSocket protocol");
        return fault;
    case -E2BIG:
        (void)snprintf(c->error, sizeof(c->error),
                       "the head of the server's answer is too long; check agentmanager_url");
        return fault;
    case -ETIMEDOUT: /* TCP_USER_TIMEOUT */
        (void)snprintf(c->error, sizeof(c->error),
                       "what was sent is not acknowledged; check the network, and the manager");
        return fault;
    case -ECONNRESET:
        (void)utf8_format(c->error, sizeof(c->error), "the connection was reset while %s",
                          states[c->state].name);
        return fault;
    case 0:
        break;
    default:
        (void)utf8_format(c->error, sizeof(c->error), "%s", strerror(-error));
        return fault;
    }
    if (code > 0)
        (void)snprintf(c->error, sizeof(c->error), "the manager closed the connection (code %u)",
                       code);
    else
        (void)utf8_format(c->error, sizeof(c->error),
                          "the manager closed the connection while %s%s", states[c->state].name,
                          c->state == CONNECTION_UPGRADING
                              ? "; check agentmanager_url, and whether it is ws:// or wss://"
                          : c->state == CONNECTION_HANDSHAKING ? "; see its log"
                                                               : "");
    return fault;
}

static void on_closed(int error, void *userdata) {
    Connection *c = userdata;
    ConnectionFault fault = explain_closed(c, error);

    fail(c, fault, error == 0 || error == -ECONNRESET, "%s", c->error);
}

static void on_dialed(Transport *dialed, const char *peer, void *userdata) {
    static const StreamCallbacks callbacks = {
        .on_secured = on_secured,
        .on_head = on_head,
        .on_message = on_message,
        .on_closed = on_closed,
    };
    Connection *c = userdata;
    _cleanup_(transport_freep) Transport *transport = dialed;
    int r = 0;

    (void)utf8_format(c->peer, sizeof(c->peer), "%s", peer);
    progress(c, peer);
    if (c->options.url.tls && transport_get_session(transport))
        r = transport_new_inside(TAKE_PTR(transport), &transport);
    set_state(c, CONNECTION_TLS);
    c->dialer = dialer_free(c->dialer);
    if (r >= 0 && c->options.url.tls)
        r = tls_client_start(c->tls, transport, c->error, sizeof(c->error));
    if (r >= 0)
        r = stream_new(c->poller, TAKE_PTR(transport), true, &callbacks, c, &c->stream);
    if (r < 0)
        fail(c, CONNECTION_FAULT_TLS, false, "%s", c->error[0] ? c->error : strerror(-r));
}

static void on_dialer_step(DialerStep step, const char *found, void *userdata) {
    Connection *c = userdata;

    progress(c, found);
    set_state(c, step == DIALER_PROXYING ? CONNECTION_PROXYING : CONNECTION_CONNECTING);
}

static void on_dial_failed(DialerFault fault, const char *error, uint64_t retry_after_usec,
                           void *userdata) {
    Connection *c = userdata;

    c->forced_usec = retry_after_usec;
    fail(c, fault_of(fault), false, "%s", error);
}

static void begin_attempt(Connection *c) {
    static const DialerCallbacks callbacks = {
        .on_step = on_dialer_step,
        .on_connected = on_dialed,
        .on_failed = on_dial_failed,
    };
    int r;

    drop_attempt(c);
    c->error[0] = 0;
    c->begun_usec = now_usec(CLOCK_BOOTTIME);
    set_state(c, CONNECTION_RESOLVING);
    r = dialer_new(c->event,
                   &(const DialerOptions){
                       .url = &c->options.url,
                       .proxy = &c->options.proxy,
                       .proxy_tls = c->proxy_tls,
                       .user_agent = USER_AGENT,
                       .user_timeout_usec = c->options.ping_usec * 5 / 2,
                   },
                   &callbacks, c, &c->dialer);
    if (r < 0)
        fail(c, CONNECTION_FAULT_NAME, false, "the name cannot be looked up: %s", strerror(-r));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Connection *c = userdata;

    if (c->state == CONNECTION_WAITING)
        begin_attempt(c);
    else if (c->state == CONNECTION_OPEN)
        send_ping_or_give_up(c);
    else if (c->state != CONNECTION_IDLE)
        give_up_late(c);
    return 0;
}

int connection_new(sd_event *event, const ConnectionCallbacks *callbacks, void *userdata,
                   Connection **ret) {
    _cleanup_(connection_freep) Connection *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->event = event;
    c->callbacks = *callbacks;
    c->userdata = userdata;
    TRY(timer_new(event, 0, on_timer, c, &c->timer));
    TRY(poller_new(event, &c->poller));
    *ret = TAKE_PTR(c);
    return 0;
}

static void drop_options(Connection *c) {
    c->tls = tls_client_free(c->tls);
    c->proxy_tls = tls_client_free(c->proxy_tls);
    connection_options_done(&c->options);
}

Connection *connection_free(Connection *c) {
    if (!c)
        return NULL;
    if (c->state == CONNECTION_OPEN)
        stream_send_close(c->stream, CLOSE_GOING_AWAY, NULL);
    drop_attempt(c);
    sd_event_source_disable_unref(c->timer);
    poller_free(c->poller);
    drop_options(c);
    free(c);
    return NULL;
}

static void stop(Connection *c) {
    if (c->state == CONNECTION_IDLE)
        return;
    if (c->state == CONNECTION_OPEN)
        stream_send_close(c->stream, CLOSE_GOING_AWAY, NULL);
    drop_attempt(c);
    set_state(c, CONNECTION_IDLE);
}

int connection_start(Connection *c, ConnectionOptions *options) {
    int r;

    stop(c);
    drop_options(c);
    c->options = *options;
    *options = (ConnectionOptions){};
    r = tls_client_new(&c->options.tls, c->options.url.host, &c->tls);
    if (r >= 0 && c->options.proxy.tls)
        r = tls_client_new(&c->options.proxy_tls, c->options.proxy.host, &c->proxy_tls);
    if (r < 0)
        return r;
    connection_restart(c);
    return 0;
}

void connection_restart(Connection *c) {
    if (!c->options.url.host)
        return;
    stop(c);
    backoff_init(&c->backoff, c->options.backoff_usec, c->options.max_backoff_usec);
    c->n_failures = 0;
    c->fault = CONNECTION_FAULT_NONE;
    begin_attempt(c);
}

void connection_forget(Connection *c) {
    stop(c);
    drop_options(c);
}

void connection_wake(Connection *c, ConnectionWake why) {
    bool is_hanging = (c->state == CONNECTION_RESOLVING || c->state == CONNECTION_CONNECTING) &&
                      now_usec(CLOCK_BOOTTIME) - c->begun_usec >= HANGING_USEC;

    if (!is_hanging &&
        (c->state != CONNECTION_WAITING || c->is_forced || backoff_is_flapping(&c->backoff)))
        return;
    /* a change of network or clock may have removed the cause of these failures, so the backoff is
     * reset */
    if (c->fault == CONNECTION_FAULT_NAME || c->fault == CONNECTION_FAULT_ROUTE ||
        c->fault == CONNECTION_FAULT_LINK ||
        (c->fault == CONNECTION_FAULT_TLS && why == CONNECTION_WAKE_CLOCK))
        backoff_reset(&c->backoff);
    begin_attempt(c);
}

ConnectionState connection_get_state(const Connection *c) {
    return c->state;
}

const char *connection_get_peer(const Connection *c) {
    return c->peer;
}

void connection_get_local_address(const Connection *c, char ret[static INET6_ADDRSTRLEN]) {
    ret[0] = 0;
    if (c->stream)
        transport_get_local_address(stream_get_transport(c->stream), ret);
}

const char *connection_get_tls(const Connection *c) {
    return c->tls_text;
}

uint64_t connection_get_certificate_end_usec(const Connection *c) {
    return c->certificate_end_usec;
}

bool connection_is_congested(const Connection *c) {
    return c->state == CONNECTION_OPEN && stream_is_congested(c->stream);
}

int connection_send(Connection *c, struct json_object *message) {
    const char *text;
    size_t size;

    if (c->state != CONNECTION_OPEN)
        return -ENOTCONN;
    text = json_to_text(message, &size);
    return text ? stream_send_text(c->stream, text, size) : -ENOMEM;
}
