/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a transport to the manager from a host name: name resolution, TCP, and a proxy, if any. */
#pragma once

#include <systemd/sd-event.h>

#include "net/tls-client.h"
#include "proto/proxy.h"

typedef struct Dialer Dialer;

typedef enum DialerStep { DIALER_RESOLVING, DIALER_CONNECTING, DIALER_PROXYING } DialerStep;

/* The failed step, as shown to people. */
typedef enum DialerFault { DIALER_NAME, DIALER_ROUTE, DIALER_TCP, DIALER_PROXY } DialerFault;

/* on_connected() and on_failed() may free the dialer. */
typedef struct DialerCallbacks {
    /* a step begins; `found` is the result of the previous one, for people, or NULL */
    void (*on_step)(DialerStep step, const char *found, void *userdata);
    /* the callee owns the transport; `peer` is the connected peer, the proxy if there is one */
    void (*on_connected)(Transport *t, const char *peer, void *userdata);
    void (*on_failed)(DialerFault fault, const char *error, uint64_t retry_after_usec,
                      void *userdata);
} DialerCallbacks;

typedef struct DialerOptions {
    const Url *url;
    const Proxy *proxy;   /* without a host: no proxy */
    TlsClient *proxy_tls; /* for a proxy with TLS */
    const char *user_agent;
    uint64_t user_timeout_usec; /* TCP_USER_TIMEOUT, tcp(7) */
} DialerOptions;

/* The targets of pointers in the options must outlive the dialer. Never calls back from within this
 * call. */
int dialer_new(sd_event *event, const DialerOptions *options, const DialerCallbacks *callbacks,
               void *userdata, Dialer **ret);
Dialer *dialer_free(Dialer *d);
DEFINE_CLEANUP(Dialer *, dialer_free)

/* Explains why the current step exceeded its time limit; `error` includes the remedy. */
DialerFault dialer_explain_late(const Dialer *d, char *error, size_t size);
