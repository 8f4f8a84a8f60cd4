/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a transport through an HTTP proxy from a socket connected to it: TLS to the proxy if
 * configured, then CONNECT (RFC 9110, section 9.3.6). */
#pragma once

#include <systemd/sd-event.h>

#include "net/tls-client.h"
#include "proto/proxy.h"

typedef struct Tunnel Tunnel;

/* Exactly one of them is called, last, and may free the tunnel. */
typedef struct TunnelCallbacks {
    /* the callee owns the transport */
    void (*on_open)(Transport *t, void *userdata);
    void (*on_failed)(const char *error, uint64_t retry_after_usec, void *userdata);
} TunnelCallbacks;

/* Takes ownership of the socket. `tls` is for a proxy with TLS, otherwise NULL. Never calls back
 * from within this call. */
int tunnel_new(sd_event *event, int fd, const Proxy *proxy, TlsClient *tls, const Url *url,
               const char *user_agent, const TunnelCallbacks *callbacks, void *userdata,
               Tunnel **ret);
Tunnel *tunnel_free(Tunnel *t);
DEFINE_CLEANUP(Tunnel *, tunnel_free)
