/* SPDX-License-Identifier: Apache-2.0 */
/* From a socket that is connected to an HTTP proxy to a transport that leads through it: TLS to the
 * proxy if it wants that, then CONNECT (RFC 9110, section 9.3.6). */
#pragma once

#include <systemd/sd-event.h>

#include "net/tls-client.h"
#include "proto/proxy.h"

typedef struct Tunnel Tunnel;

/* Either is the last call, and may free the tunnel. */
typedef struct TunnelCallbacks {
    /* the transport is the callee's */
    void (*on_open)(Transport *t, void *userdata);
    void (*on_failed)(const char *error, uint64_t retry_after_usec, void *userdata);
} TunnelCallbacks;

/* Takes over the socket. `tls` is for a proxy with TLS, else NULL. The callback never comes from
 * inside of this call. */
int tunnel_new(sd_event *event, int fd, const Proxy *proxy, TlsClient *tls, const Url *url,
               const char *user_agent, const TunnelCallbacks *callbacks, void *userdata,
               Tunnel **ret);
Tunnel *tunnel_free(Tunnel *t);
DEFINE_CLEANUP(Tunnel *, tunnel_free)
