/* SPDX-License-Identifier: Apache-2.0 */
/* One timer: the next start, or the time limit of the oldest attempt, whichever is earlier. */
#include "net/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "net/address.h"

#define DELAY_USEC (250 * USEC_PER_MSEC)
#define TIMEOUT_USEC (10 * USEC_PER_SEC) /* for one address */
#define ERROR_SIZE 320

typedef struct Attempt {
    Connector *connector;
    const struct addrinfo *address;
    int fd; /* -1 before and after the attempt */
    sd_event_source *source;
    uint64_t give_up_usec;
} Attempt;

struct Connector {
    sd_event *event;
    ConnectorCallbacks callbacks;
    void *userdata;
    struct addrinfo *list;
    uint64_t user_timeout_usec;
    sd_event_source *timer;
    Attempt attempts[ADDRESSES_TRIED_MAX];
    unsigned n, n_begun, n_running;
    uint64_t next_usec; /* when the next one begins */
    unsigned n_unreachable, n_errors;
    char error[ERROR_SIZE];
};

static void attempt_end(Attempt *a) {
    if (a->fd < 0)
        return;
    a->source = sd_event_source_disable_unref(a->source);
    a->fd = safe_close(a->fd);
    a->connector->n_running--;
}

Connector *connector_free(Connector *c) {
    if (!c)
        return NULL;
    for (unsigned i = 0; i < c->n; i++)
        attempt_end(&c->attempts[i]);
    sd_event_source_disable_unref(c->timer);
    if (c->list)
        freeaddrinfo(c->list);
    free(c);
    return NULL;
}

/* RFC 8305, section 4: families alternate, each in the order of the list (RFC 6724), beginning with
 * the family of the first address. */
static void order(Connector *c) {
    const struct addrinfo *next[2] = {c->list, c->list};
    int first = c->list ? c->list->ai_family : AF_UNSPEC;

    for (unsigned turn = 0; c->n < ADDRESSES_TRIED_MAX && (next[0] || next[1]); turn = !turn) {
        const struct addrinfo **p = &next[turn];

        while (*p && ((*p)->ai_family == first) == (turn == 1))
            *p = (*p)->ai_next;
        if (!*p)
            continue;
        c->attempts[c->n++] = (Attempt){.connector = c, .address = *p, .fd = -1};
        *p = (*p)->ai_next;
    }
}

static void note_error(Connector *c, const struct addrinfo *address, int error) {
    char peer[ADDRESS_SIZE];
    size_t used = strlen(c->error);

    if (error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL ||
        error == EAFNOSUPPORT)
        c->n_unreachable++;
    c->n_errors++;
    address_format(address->ai_addr, peer);
    (void)utf8_format(c->error + used, sizeof(c->error) - used, "%s%s: %s", used > 0 ? ", " : "",
                      peer, error == ETIMEDOUT ? "no answer" : strerror(error));
}

static const char *remedy(const Connector *c) {
    if (c->n_errors == 0)
        return "the name has no address; check the name server";
    if (c->n_unreachable == c->n_errors)
        return "there is no way to it; check the network (ip route)";
    return "check the port, firewalls, and whether the server is up";
}

static void fail(Connector *c) {
    char text[ERROR_SIZE + 80];

    (void)utf8_format(text, sizeof(text), "%s%s%s", c->error, c->n_errors > 0 ? "; " : "",
                      remedy(c));
    c->callbacks.on_failed(text, c->n_errors > 0 && c->n_unreachable == c->n_errors, c->userdata);
}

static void set_timer(Connector *c) {
    uint64_t at = c->n_begun < c->n || c->n_running == 0 ? c->next_usec : UINT64_MAX;

    for (unsigned i = 0; i < c->n_begun; i++)
        if (c->attempts[i].fd >= 0)
            at = MIN(at, c->attempts[i].give_up_usec);
    (void)timer_arm(c->timer, at);
}

static void attempt_failed(Attempt *a, int error) {
    Connector *c = a->connector;

    attempt_end(a);
    note_error(c, a->address, error);
    c->next_usec = 0; /* at once; after the last address this means failure */
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Attempt *a = userdata;
    Connector *c = a->connector;
    socklen_t size = sizeof(int);
    char peer[ADDRESS_SIZE];
    int error = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error != 0) {
        attempt_failed(a, error);
        set_timer(c);
        return 0;
    }
    a->source = sd_event_source_disable_unref(a->source);
    c->n_running--;
    address_format(a->address->ai_addr, peer);
    c->callbacks.on_connected(TAKE_FD(a->fd), peer, c->userdata);
    return 0;
}

static int begin(Attempt *a) {
    unsigned timeout_msec = (unsigned)(a->connector->user_timeout_usec / USEC_PER_MSEC);
    int one = 1, r;

    a->fd = socket(a->address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        return -errno;
    a->connector->n_running++;
    (void)setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(a->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_msec, sizeof(timeout_msec));
    r = connect(a->fd, a->address->ai_addr, a->address->ai_addrlen);
    if (r < 0 && errno != EINPROGRESS)
        return -errno;
    return sd_event_add_io(a->connector->event, &a->source, a->fd, EPOLLOUT, on_io, a);
}

static void begin_next(Connector *c, uint64_t now) {
    Attempt *a = &c->attempts[c->n_begun++];
    int r;

    c->next_usec = now + DELAY_USEC;
    a->give_up_usec = now + TIMEOUT_USEC;
    r = begin(a);
    if (r < 0)
        attempt_failed(a, -r);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Connector *c = userdata;
    uint64_t now = now_usec(CLOCK_BOOTTIME);

    for (unsigned i = 0; i < c->n_begun; i++)
        if (c->attempts[i].fd >= 0 && now >= c->attempts[i].give_up_usec)
            attempt_failed(&c->attempts[i], ETIMEDOUT);
    while (c->n_begun < c->n && now >= c->next_usec)
        begin_next(c, now);
    if (c->n_running == 0)
        fail(c);
    else
        set_timer(c);
    return 0;
}

int connector_new(sd_event *event, struct addrinfo *list, uint64_t user_timeout_usec,
                  const ConnectorCallbacks *callbacks, void *userdata, Connector **ret) {
    _cleanup_(connector_freep) Connector *c = calloc(1, sizeof(*c));

    if (!c) {
        freeaddrinfo(list);
        return -ENOMEM;
    }
    c->list = list;
    c->event = event;
    c->callbacks = *callbacks;
    c->userdata = userdata;
    c->user_timeout_usec = user_timeout_usec;
    order(c);
    TRY(sd_event_add_time(event, &c->timer, CLOCK_BOOTTIME, 0, 1, on_timer, c));
    *ret = TAKE_PTR(c);
    return 0;
}
