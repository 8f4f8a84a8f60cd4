/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to a transport that leads to the manager: name resolution, TCP, and the proxy if
 * there is one. */
#pragma once

#include <systemd/sd-event.h>

#include "net/tls-client.h"
#include "proto/proxy.h"

typedef struct Dialer Dialer;

typedef enum DialerStep { DIALER_RESOLVING, DIALER_CONNECTING, DIALER_PROXYING } DialerStep;

/* What failed, as it is named to people. */
typedef enum DialerFault { DIALER_NAME, DIALER_ROUTE, DIALER_TCP, DIALER_PROXY } DialerFault;

/* on_connected() and on_failed() may free the dialer. */
typedef struct DialerCallbacks {
    /* a step begins; what the one before it found, for people, or NULL */
    void (*on_step)(DialerStep step, const char *found, void *userdata);
    /* the transport is the callee's; `peer` is who was connected to, the proxy if there is one */
    void (*on_connected)(Transport *t, const char *peer, void *userdata);
    void (*on_failed)(DialerFault fault, const char *error, uint64_t retry_after_usec,
                      void *userdata);
} DialerCallbacks;

typedef struct DialerOptions {
    const Url *url;
    const Proxy *proxy;   /* without a host: none */
    TlsClient *proxy_tls; /* for a proxy with TLS */
    const char *user_agent;
    uint64_t user_timeout_usec; /* TCP_USER_TIMEOUT, tcp(7) */
} DialerOptions;

/* What the options point to must outlive it. No callback comes from inside of this call. */
int dialer_new(sd_event *event, const DialerOptions *options, const DialerCallbacks *callbacks,
               void *userdata, Dialer **ret);
Dialer *dialer_free(Dialer *d);
DEFINE_CLEANUP(Dialer *, dialer_free)

/* The end of a step that took too long: `error` for people, what to do included. */
DialerFault dialer_explain_late(const Dialer *d, char *error, size_t size);
