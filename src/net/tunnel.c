/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  PHASE_TLS ── handshake ──▶ PHASE_REQUEST ── all written ──▶ PHASE_ANSWER ── head ──▶ on_open()
 */
#include "net/tunnel.h"

#include <stdio.h>
#include <sys/epoll.h>

#include "basic/fd-util.h"
#include "basic/utf8.h"
#include "proto/http-head.h"

#define ERROR_SIZE 512

typedef enum Phase { PHASE_TLS, PHASE_REQUEST, PHASE_ANSWER } Phase;

struct Tunnel {
    TunnelCallbacks callbacks;
    void *userdata;
    Transport *transport;
    TlsClient *tls;
    sd_event_source *source;
    Phase phase;
    char *request; /* may contain a password */
    size_t request_size, written;
    char head[HTTP_HEAD_MAX];
    size_t head_size;
    char error[ERROR_SIZE]; /* more precise than an errno */
};

Tunnel *tunnel_free(Tunnel *t) {
    if (!t)
        return NULL;
    sd_event_source_disable_unref(t->source);
    transport_free(t->transport);
    if (t->request)
        explicit_bzero(t->request, t->request_size);
    free(t->request);
    free(t);
    return NULL;
}

static void fail(Tunnel *t, const char *error, uint64_t retry_after_usec) {
    (void)sd_event_source_set_enabled(t->source, SD_EVENT_OFF);
    t->callbacks.on_failed(error, retry_after_usec, t->userdata);
}

static void fail_errno(Tunnel *t, int error) {
    if (t->error[0])
        ;
    else if (error == -ECONNABORTED && t->tls)
        tls_client_explain(t->tls, t->transport, t->error, sizeof(t->error));
    else if (error == -ECONNRESET)
        (void)snprintf(t->error, sizeof(t->error),
                       "it closed the connection; is it an HTTP proxy?");
    else if (error == -E2BIG)
        (void)snprintf(t->error, sizeof(t->error),
                       "the head of its answer is too long; is it an HTTP proxy?");
    else
        (void)utf8_format(t->error, sizeof(t->error), "%s", strerror(-error));
    fail(t, t->error, 0);
}

/* These return 1: the phase is complete; 0: it waits for the socket; or a negative errno. */

static int shake_hands(Tunnel *t) {
    int r;

    if (!transport_get_session(t->transport)) {
        TRY(tls_client_start(t->tls, t->transport, t->error, sizeof(t->error)));
    }
    r = transport_handshake(t->transport);
    if (r == -EAGAIN) {
        (void)sd_event_source_set_io_events(t->source, transport_wants(t->transport));
        return 0;
    }
    return r < 0 ? r : 1;
}

static int send_request(Tunnel *t) {
    while (t->written < t->request_size) {
        ssize_t n =
            transport_write(t->transport, t->request + t->written, t->request_size - t->written);

        if (n == -EAGAIN) {
            (void)sd_event_source_set_io_events(t->source, EPOLLOUT);
            return 0;
        }
        if (n < 0)
            return (int)n;
        t->written += (size_t)n;
    }
    return 1;
}

static int receive_answer(Tunnel *t) {
    do {
        ssize_t n = transport_read(t->transport, t->head + t->head_size,
                                   sizeof(t->head) - t->head_size),
                size;

        if (n == -EAGAIN) {
            (void)sd_event_source_set_io_events(t->source, EPOLLIN);
            return 0;
        }
        if (n <= 0)
            return n < 0 ? (int)n : -ECONNRESET;
        t->head_size += (size_t)n;
        size = http_head_size(t->head, t->head_size);
        if (size >= 0)
            return 1;
        if (size != -EAGAIN)
            return (int)size;
    } while (true);
}

static void take_answer(Tunnel *t) {
    ssize_t size = http_head_size(t->head, t->head_size);
    Transport *transport;
    HttpAnswer answer;

    if (proxy_connect_answer_check(t->head, (size_t)size, &answer) < 0) {
        fail(t, answer.error, answer.retry_after_usec);
        return;
    }
    /* a manager waits for the client's first bytes */
    if ((size_t)size < t->head_size) {
        fail(t, "it sent data of its own behind its answer; is it an HTTP proxy?", 0);
        return;
    }
    t->source = sd_event_source_disable_unref(t->source);
    transport = TAKE_PTR(t->transport);
    t->callbacks.on_open(transport, t->userdata);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Tunnel *t = userdata;
    int r = 1;

    while (r > 0) {
        switch (t->phase) {
        case PHASE_TLS:
            r = shake_hands(t);
            break;
        case PHASE_REQUEST:
            r = send_request(t);
            break;
        case PHASE_ANSWER:
            r = receive_answer(t);
            if (r > 0) {
                take_answer(t);
                return 0;
            }
        }
        if (r > 0)
            t->phase++;
    }
    if (r < 0)
        fail_errno(t, r);
    return 0;
}

int tunnel_new(sd_event *event, int fd, const Proxy *proxy, TlsClient *tls, const Url *url,
               const char *user_agent, const TunnelCallbacks *callbacks, void *userdata,
               Tunnel **ret) {
    _cleanup_close_ int owned = fd;
    _cleanup_(tunnel_freep) Tunnel *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->callbacks = *callbacks;
    t->userdata = userdata;
    t->tls = tls;
    t->phase = tls ? PHASE_TLS : PHASE_REQUEST;
    TRY(proxy_connect_request(proxy, url, user_agent, &t->request));
    t->request_size = strlen(t->request);
    TRY(transport_new(TAKE_FD(owned), &t->transport));
    TRY(sd_event_add_io(event, &t->source, fd, EPOLLOUT, on_io, t));
    *ret = TAKE_PTR(t);
    return 0;
}
