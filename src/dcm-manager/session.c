/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  UPGRADING ── head ──▶ SHAKING ── offer ──▶ HELD ── accept ──▶ OPEN
 *      │                    │                   │ refuse          │
 *      └────────────────────┴── close, an end ──┴─────────────────┴──▶ CLOSING ──▶ on_ended()
 *
 * States only advance. One timer serves all of them: the handshake's deadline, then pings, then the
 * wait for the peer. After an invalid frame and a refused head CLOSING reads and discards the
 * peer's data: closing a socket with unread bytes would reset it, and the close frame with the
 * reason would be lost. */
#include "dcm-manager/session.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/listener.h"
#include "net/stream.h"
#include "proto/http-upgrade.h"
#include "proto/message-skim.h"

#define TIMER_ACCURACY 32 /* part of a ping's interval: those of many sessions share wake-ups */

typedef enum SessionState {
    SESSION_UPGRADING,
    SESSION_SHAKING,
    SESSION_HELD,
    SESSION_OPEN,
    SESSION_CLOSING,
} SessionState;

struct Session {
    Poller *poller;
    SessionState state;
    SessionOptions options;
    SessionCallbacks callbacks;
    void *userdata;
    TlsServer *tls;
    Stream *stream;
    sd_event_source *timer;
    uint64_t ping_due_usec;
    uint64_t judged_from_usec; /* earlier silence does not count */
    uint64_t received_usec;    /* after the stream is freed */
    int linger_fd;
    PollSource *linger_source;
    size_t linger_size;
    MessageSkim *skim; /* of a too large message */
    size_t skimmed;
    char peer[80];
};

static void set_timer(Session *s, uint64_t usec) {
    (void)timer_arm(s->timer, usec);
}

static void enter(Session *s, SessionState state) {
    assert(state > s->state);
    s->state = state;
}

static void enter_closing(Session *s, const char *why) {
    if (s->state == SESSION_CLOSING)
        return;
    enter(s, SESSION_CLOSING);
    s->callbacks.on_closing(why, s->userdata);
}

static void end(Session *s, const char *why) {
    enter_closing(s, why);
    timer_disarm(s->timer);
    s->callbacks.on_ended(s->userdata);
}

void session_close(Session *s, uint16_t code, const char *why) {
    if (s->state == SESSION_CLOSING)
        return;
    stream_send_close(s->stream, code, why);
    set_timer(s, now_usec(CLOCK_BOOTTIME) + CLOSE_WAIT_USEC);
    enter_closing(s, why);
}

/* A timer that is late tells that the manager stood still: the agent's bytes may have waited all
 * that time, and no ping was sent. Its silence counts from now on. */
static void judge_fairly(Session *s, uint64_t due, uint64_t now) {
    if (now > due + s->options.ping_usec / 2)
        s->judged_from_usec = now;
}

static void ping_or_give_up(Session *s, uint64_t due) {
    uint64_t now = now_usec(CLOCK_BOOTTIME), dead;

    judge_fairly(s, due, now);
    dead =
        MAX(stream_last_alive_usec(s->stream), s->judged_from_usec) + s->options.ping_usec * 5 / 2;
    if (now >= dead && transport_has_unread(stream_get_transport(s->stream)))
        dead = now + s->options.ping_usec / 2; /* it is read as soon as its turn comes */
    if (now >= dead) {
        end(s, "the agent has been silent for too long");
        return;
    }
    if (now >= s->ping_due_usec) {
        (void)stream_send_ping(s->stream);
        s->ping_due_usec = now + s->options.ping_usec;
    }
    set_timer(s, MIN(s->ping_due_usec, dead));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Session *s = userdata;

    switch (s->state) {
    case SESSION_OPEN:
        ping_or_give_up(s, usec);
        break;
    case SESSION_SHAKING:
    case SESSION_HELD:
        session_close(s, CLOSE_POLICY, "the handshake took too long");
        break;
    default:
        end(s, "nothing came in time");
    }
    return 0;
}

static void on_linger(int fd, uint32_t revents, void *userdata) {
    Session *s = userdata;
    char buf[16384];
    ssize_t n;

    n = recv(fd, buf, sizeof(buf), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    s->linger_size += (size_t)MAX(n, (ssize_t)0);
    if (n <= 0 || s->linger_size > LINGER_SIZE_MAX)
        end(s, NULL);
}

/* Frees the stream first, which closes TLS properly. */
static int linger(Session *s, const char *why) {
    static const PollCallbacks callbacks = {.on_io = on_linger};

    s->linger_fd = fcntl(transport_get_fd(stream_get_transport(s->stream)), F_DUPFD_CLOEXEC, 3);
    if (s->linger_fd < 0)
        return -errno;
    TRY(poll_source_new(s->poller, s->linger_fd, EPOLLIN, &callbacks, s, &s->linger_source));
    s->received_usec = stream_last_alive_usec(s->stream);
    s->stream = stream_free(s->stream);
    (void)shutdown(s->linger_fd, SHUT_WR);
    set_timer(s, now_usec(CLOCK_BOOTTIME) + LINGER_USEC);
    enter_closing(s, why);
    return 0;
}

static void describe_end(Session *s, int error, char *buf, size_t size) {
    uint16_t code = stream_close_code(s->stream);

    if (error == -ECONNABORTED)
        (void)utf8_format(buf, size, "TLS: %s",
                          gnutls_strerror(transport_tls_error(stream_get_transport(s->stream))));
    else if (error == -EPROTO)
        (void)snprintf(buf, size, "the peer broke the protocol");
    else if (error < 0)
        (void)utf8_format(buf, size, "%s", strerror(-error));
    else if (code > 0)
        (void)snprintf(buf, size, "closed by the agent, code %u", code);
    else
        (void)snprintf(buf, size, "closed by the agent");
}

static void on_closed(int error, void *userdata) {
    Session *s = userdata;
    char why[160];

    describe_end(s, error, why, sizeof(why));
    if ((error == -EPROTO || error == -E2BIG) && linger(s, why) >= 0)
        return;
    end(s, why);
}

static void on_secured(void *userdata) {
}

unsigned session_draw_return_sec(const SessionOptions *options) {
    uint32_t random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = UINT32_MAX;
    return (unsigned)(1 + (options->return_usec / USEC_PER_SEC * random >> 32));
}

static void answer_head(Session *s, int status, const char *fields, const char *body) {
    static const struct {
        int status;
        const char *name;
    } names[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {405, "Method Not Allowed"},
        {426, "Upgrade Required"},
        {503, "Service Unavailable"},
    };
    const char *name = "";
    char head[512];

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (names[i].status == status)
            name = names[i].name;
    (void)utf8_format(head, sizeof(head),
                      "HTTP/1.1 %d %s\r\n"
                      "%s"
                      "Connection: close\r\n"
                      "Content-Length: %zu\r\n"
                      "\r\n"
                      "%s",
                      status, name, fields, strlen(body), body);
    (void)stream_send_head(s->stream, head);
}

static void refuse_head(Session *s, int status) {
    answer_head(s, status,
                status == 426   ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                : status == 405 ? "Allow: GET\r\n"
                                : "",
                "");
}

static void answer_health(Session *s) {
    const char *why = s->callbacks.on_health(s->userdata);
    char body[128];

    (void)utf8_format(body, sizeof(body), "%s\n", why ?: "ok");
    answer_head(s, why ? 503 : 200, "Content-Type: text/plain\r\nCache-Control: no-store\r\n",
                body);
}

static void send_away(Session *s) {
    char fields[64];

    s->options.refusals->n_busy++;
    (void)snprintf(fields, sizeof(fields), "Retry-After: %u\r\n",
                   session_draw_return_sec(&s->options));
    answer_head(s, 503, fields, "");
}

static int on_head(const char *head, size_t size, void *userdata) {
    Session *s = userdata;
    _cleanup_free_ char *response = NULL, *target = NULL;
    HttpUpgradeRequest request;
    int r, status;

    r = http_upgrade_request_parse(head, size, &request, &status);
    if (r == -EPROTO && http_request_is_for(head, size, "/health"))
        answer_health(s);
    else if (r == -EPROTO)
        refuse_head(s, status);
    if (r < 0)
        return r;
    target = request.target;
    if (!s->callbacks.on_upgrade(s->userdata)) {
        send_away(s);
        return -EPROTO;
    }
    r = http_upgrade_response(&request, &response);
    if (r >= 0)
        r = stream_send_head(s->stream, response);
    if (r >= 0 && s->state == SESSION_UPGRADING)
        enter(s, SESSION_SHAKING);
    return r;
}

static void take_offer(Session *s, const char *text, size_t size) {
    _cleanup_(offer_done) Offer offer = {};
    const char *error;
    int r;

    r = offer_parse(text, size, &offer, &error);
    if (r == -ENOMEM)
        session_close(s, CLOSE_TRY_LATER, "out of memory");
    else if (r == -EBADMSG)
        session_close(s, CLOSE_BAD_DATA, error);
    else {
        enter(s, SESSION_HELD);
        if (r < 0)
            session_refuse(s, 400, error);
        else
            s->callbacks.on_offer(&offer, s->userdata);
    }
}

/* An unreadable message that the agent repeats until it is answered would otherwise end each of its
 * connections. */
static bool answer_unreadable(Session *s, MessageSkim *skim, const char *why) {
    _cleanup_(message_done) Message m = {};
    const char *error;

    return message_skim_finish(skim, &m, &error) >= 0 &&
           s->callbacks.on_unreadable(&m, why, s->userdata);
}

static void take_unreadable(Session *s, const char *text, size_t size, const char *why) {
    _cleanup_(message_skim_freep) MessageSkim *skim = NULL;

    if (message_skim_new(&skim) < 0) {
        session_close(s, CLOSE_TRY_LATER, "out of memory");
        return;
    }
    message_skim_feed(skim, text, size);
    if (!answer_unreadable(s, skim, why))
        session_close(s, CLOSE_BAD_DATA, why);
}

static uint16_t end_excess(Session *s) {
    _cleanup_(message_skim_freep) MessageSkim *skim = TAKE_PTR(s->skim);
    char why[64];

    (void)snprintf(why, sizeof(why), "The message has more than %zu MiB: %zu bytes",
                   MESSAGE_SIZE_MAX >> 20, s->skimmed);
    s->skimmed = 0;
    return answer_unreadable(s, skim, why) ? 0 : CLOSE_TOO_LARGE;
}

static uint16_t on_excess(const char *data, size_t size, bool is_last, void *userdata) {
    Session *s = userdata;

    if (s->state == SESSION_CLOSING)
        return 0;
    if (s->state != SESSION_OPEN)
        return CLOSE_TOO_LARGE;
    if (!s->skim && message_skim_new(&s->skim) < 0)
        return CLOSE_TRY_LATER;
    message_skim_feed(s->skim, data, size);
    s->skimmed += size;
    return is_last ? end_excess(s) : 0;
}

static void take_message(Session *s, const char *text, size_t size) {
    _cleanup_(message_done) Message m = {};
    const char *error = NULL;
    int r;

    r = message_parse(text, size, &m, &error);
    if (r >= 0)
        s->callbacks.on_message(&m, s->userdata);
    else if (!json_object_is_type(m.json, json_type_object))
        take_unreadable(s, text, size, error);
    else /* newer agents may send unknown messages */
        log_debug("%s: a message was ignored: %s", s->peer, error);
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Session *s = userdata;

    if (s->state == SESSION_CLOSING)
        return;
    if (!is_text)
        session_close(s, CLOSE_UNSUPPORTED, "only text messages are understood");
    else if (s->state == SESSION_SHAKING)
        take_offer(s, text, size);
    else if (s->state == SESSION_OPEN)
        take_message(s, text, size);
    else
        session_close(s, CLOSE_PROTOCOL, "a message before the answer to the handshake");
}

static void set_socket_options(int fd, uint64_t ping_usec) {
    unsigned timeout_msec = (unsigned)(ping_usec * 5 / 2 / USEC_PER_MSEC);
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_msec, sizeof(timeout_msec));
}

static int start(Session *s, int fd) {
    static const StreamCallbacks callbacks = {
        .on_secured = on_secured,
        .on_head = on_head,
        .on_message = on_message,
        .on_excess = on_excess,
        .on_closed = on_closed,
    };
    _cleanup_(transport_freep) Transport *transport = NULL;
    int r;

    set_socket_options(fd, s->options.ping_usec);
    socket_describe_peer(fd, s->peer, sizeof(s->peer));
    r = transport_new(fd, &transport);
    if (r < 0)
        return r;
    if (s->tls) {
        TRY(tls_server_start(s->tls, transport));
    }
    r = stream_new(s->poller, TAKE_PTR(transport), false, &callbacks, s, &s->stream);
    if (r >= 0)
        stream_set_receive_budget(s->stream, s->options.budget);
    return r;
}

int session_new(sd_event *event, Poller *poller, int fd, TlsServer *tls,
                const SessionOptions *options, const SessionCallbacks *callbacks, void *userdata,
                Session **ret) {
    _cleanup_(session_freep) Session *s = calloc(1, sizeof(*s));

    if (!s) {
        safe_close(fd);
        return -ENOMEM;
    }
    s->linger_fd = -1;
    s->poller = poller;
    s->tls = tls_server_ref(tls);
    s->options = *options;
    s->callbacks = *callbacks;
    s->userdata = userdata;
    TRY(start(s, fd));
    TRY(sd_event_add_time(event, &s->timer, CLOCK_BOOTTIME,
                          now_usec(CLOCK_BOOTTIME) + options->handshake_usec,
                          MIN(options->ping_usec / TIMER_ACCURACY + 1, USEC_PER_SEC), on_timer, s));
    *ret = TAKE_PTR(s);
    return 0;
}

Session *session_free(Session *s) {
    if (!s)
        return NULL;
    stream_free(s->stream);
    message_skim_free(s->skim);
    poll_source_free(s->linger_source);
    safe_close(s->linger_fd);
    sd_event_source_disable_unref(s->timer);
    tls_server_unref(s->tls);
    free(s);
    return NULL;
}

const char *session_peer(const Session *s) {
    return s->peer;
}

void session_set_peer(Session *s, const char *peer) {
    (void)utf8_format(s->peer, sizeof(s->peer), "%s", peer);
}

uint64_t session_last_received_usec(const Session *s) {
    return s->stream ? stream_last_alive_usec(s->stream) : s->received_usec;
}

bool session_has_unread(const Session *s) {
    return s->stream && transport_has_unread(stream_get_transport(s->stream));
}

/* Between half of it and all of it, so that agents that came together are not pinged together. */
static uint64_t spread(uint64_t usec) {
    uint32_t random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
        random = UINT32_MAX;
    return usec / 2 + (usec / 2 * random >> 32);
}

int session_accept(Session *s, const char *agent_id, const char *server_id, const char *name) {
    _cleanup_free_ char *text = NULL;
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    size_t size;

    if (s->state != SESSION_HELD)
        return -ENOTCONN;
    TRY(answer_encode_accepted(agent_id, server_id, name, &text, &size));
    TRY(stream_send_text(s->stream, text, size));
    enter(s, SESSION_OPEN);
    stream_trust(s->stream);
    s->ping_due_usec = now + spread(s->options.ping_usec);
    set_timer(s, s->ping_due_usec);
    return 0;
}

static void count_refusal(Refusals *r, int code) {
    r->n_invalid += code == 400;
    r->n_unauthorised += code == 401;
    r->n_stale += code == 409;
    r->n_busy += code == 503;
}

void session_refuse(Session *s, int code, const char *text) {
    _cleanup_free_ char *answer = NULL;
    size_t size;

    if (s->state != SESSION_HELD)
        return;
    count_refusal(s->options.refusals, code);
    if (answer_encode_refused(code, text, session_draw_return_sec(&s->options), &answer, &size) >=
        0)
        (void)stream_send_text(s->stream, answer, size);
    session_close(s, code == 503 ? CLOSE_TRY_LATER : CLOSE_POLICY, text);
}

int session_send(Session *s, struct json_object *message) {
    const char *text;
    size_t size;

    if (s->state != SESSION_OPEN)
        return -ENOTCONN;
    text = json_object_to_json_string_length(
        message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    return text ? stream_send_text(s->stream, text, size) : -ENOMEM;
}

bool session_has_room(const Session *s) {
    return s->state == SESSION_OPEN &&
           stream_queued_size(s->stream) + MESSAGE_SIZE_MAX <= SEND_QUEUE_MAX;
}

int session_ping(Session *s) {
    return s->state == SESSION_OPEN ? stream_send_ping(s->stream) : -ENOTCONN;
}
