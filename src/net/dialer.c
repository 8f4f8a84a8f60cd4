/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  RESOLVING ── addresses ──▶ CONNECTING ── a socket ──▶ PROXYING, if there is a proxy
 */
#include "net/dialer.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/fd-util.h"
#include "basic/utf8.h"
#include "net/address.h"
#include "net/connector.h"
#include "net/resolver.h"
#include "net/tunnel.h"

#define ERROR_SIZE 640

struct Dialer {
    sd_event *event;
    DialerOptions options;
    DialerCallbacks callbacks;
    void *userdata;
    DialerStep step;
    Resolver *resolver;
    Connector *connector;
    Tunnel *tunnel;
    char peer[ADDRESS_SIZE];
};

Dialer *dialer_free(Dialer *d) {
    if (!d)
        return NULL;
    resolver_free(d->resolver);
    connector_free(d->connector);
    tunnel_free(d->tunnel);
    free(d);
    return NULL;
}

static bool has_proxy(const Dialer *d) {
    return d->options.proxy->host;
}

static const char *host(const Dialer *d) {
    return has_proxy(d) ? d->options.proxy->host : d->options.url->host;
}

static void set_step(Dialer *d, DialerStep step, const char *found) {
    d->step = step;
    d->callbacks.on_step(step, found, d->userdata);
}

/* With a proxy every fault on the way to it counts as DIALER_PROXY. */
static void fail(Dialer *d, DialerFault fault, uint64_t retry_after_usec, const char *format, ...)
    _printf_(4, 5);
static void fail(Dialer *d, DialerFault fault, uint64_t retry_after_usec, const char *format, ...) {
    char text[ERROR_SIZE] = "";
    int prefix = 0;
    va_list ap;

    if (has_proxy(d)) {
        prefix = utf8_format(text, sizeof(text),
                             "%.*s: ", UTF8_SHORT(proxy_show(d->options.proxy), 256));
        fault = DIALER_PROXY;
    }
    va_start(ap, format);
    (void)utf8_format_list(text + prefix, sizeof(text) - (size_t)prefix, format, ap);
    va_end(ap);
    d->callbacks.on_failed(fault, text, retry_after_usec, d->userdata);
}

static void on_tunnel_open(Transport *t, void *userdata) {
    Dialer *d = userdata;

    d->callbacks.on_connected(t, d->peer, d->userdata);
}

static void on_tunnel_failed(const char *error, uint64_t retry_after_usec, void *userdata) {
    fail(userdata, DIALER_PROXY, retry_after_usec, "%s", error);
}

static void begin_tunnel(Dialer *d, int fd) {
    static const TunnelCallbacks callbacks = {
        .on_open = on_tunnel_open,
        .on_failed = on_tunnel_failed,
    };
    int r;

    r = tunnel_new(d->event, fd, d->options.proxy, d->options.proxy_tls, d->options.url,
                   d->options.user_agent, &callbacks, d, &d->tunnel);
    if (r < 0)
        fail(d, DIALER_PROXY, 0, "%s", strerror(-r));
    else
        set_step(d, DIALER_PROXYING, d->peer);
}

static void on_connected(int fd, const char *peer, void *userdata) {
    Dialer *d = userdata;
    Transport *t;
    int r;

    (void)utf8_format(d->peer, sizeof(d->peer), "%s", peer);
    d->connector = connector_free(d->connector);
    if (has_proxy(d)) {
        begin_tunnel(d, fd);
        return;
    }
    r = transport_new(fd, &t);
    if (r < 0)
        fail(d, DIALER_TCP, 0, "%s", strerror(-r));
    else
        d->callbacks.on_connected(t, d->peer, d->userdata);
}

static void on_connect_failed(const char *error, bool is_route, void *userdata) {
    fail(userdata, is_route ? DIALER_ROUTE : DIALER_TCP, 0, "%s", error);
}

static const char *resolver_remedy(int error) {
    switch (error) {
    case EAI_NONAME:
        return "check the spelling";
    case EAI_AGAIN:
        return "no name server answers; check the network and /etc/resolv.conf";
    case EAI_FAIL:
        return "check the name server";
    default:
        return "check the name server's entry for it";
    }
}

static void format_list(const struct addrinfo *list, char *ret, size_t size) {
    size_t used = 0;

    ret[0] = 0;
    for (; list && used < size; list = list->ai_next) {
        char address[ADDRESS_SIZE];

        address_format(list->ai_addr, address);
        *strchr(address, ' ') = 0; /* removes the port */
        used += (size_t)utf8_format(ret + used, size - used, "%s%s", used > 0 ? ", " : "", address);
    }
}

static void on_resolved(int error, struct addrinfo *list, void *userdata) {
    static const ConnectorCallbacks callbacks = {
        .on_connected = on_connected,
        .on_failed = on_connect_failed,
    };
    char addresses[ERROR_SIZE];
    Dialer *d = userdata;
    int r;

    d->resolver = resolver_free(d->resolver);
    if (error != 0) {
        fail(d, DIALER_NAME, 0, "the name %s cannot be resolved: %s; %s", host(d),
             error > 0 ? strerror(error) : gai_strerror(error), resolver_remedy(error));
        return;
    }
    format_list(list, addresses, sizeof(addresses));
    r = connector_new(d->event, list, d->options.user_timeout_usec, &callbacks, d, &d->connector);
    if (r < 0)
        fail(d, DIALER_TCP, 0, "%s", strerror(-r));
    else
        set_step(d, DIALER_CONNECTING, addresses);
}

int dialer_new(sd_event *event, const DialerOptions *options, const DialerCallbacks *callbacks,
               void *userdata, Dialer **ret) {
    _cleanup_(dialer_freep) Dialer *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->event = event;
    d->options = *options;
    d->callbacks = *callbacks;
    d->userdata = userdata;
    TRY(resolver_new(event, host(d), has_proxy(d) ? options->proxy->port : options->url->port,
                     on_resolved, d, &d->resolver));
    *ret = TAKE_PTR(d);
    return 0;
}

DialerFault dialer_explain_late(const Dialer *d, char *error, size_t size) {
    static const struct {
        DialerFault fault;
        const char *text;
    } late[] = {
        [DIALER_RESOLVING] = {DIALER_NAME, "no name server answers; check the network and "
                                           "/etc/resolv.conf"},
        [DIALER_CONNECTING] = {DIALER_TCP, "no answer; check firewalls and routes"},
        [DIALER_PROXYING] = {DIALER_PROXY, "it does not answer; is it an HTTP proxy?"},
    };

    (void)utf8_format(error, size, "%s%s%s", has_proxy(d) ? proxy_show(d->options.proxy) : "",
                      has_proxy(d) ? ": " : "", late[d->step].text);
    return has_proxy(d) ? DIALER_PROXY : late[d->step].fault;
}
