/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection to any of several addresses: Happy Eyeballs (RFC 8305, sections 4 and 5).
 * Address families alternate, the next address starts 250 ms after the previous one or as soon as
 * that has failed, and the first connection wins. */
#pragma once

#include <netdb.h>
#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Connector Connector;

/* Exactly one of them is called, last, and may free the connector. */
typedef struct ConnectorCallbacks {
    /* the callee owns the socket */
    void (*on_connected)(int fd, const char *peer, void *userdata);
    /* `is_route`: no address had a route */
    void (*on_failed)(const char *error, bool is_route, void *userdata);
} ConnectorCallbacks;

/* Takes ownership of the list. The kernel gives up unacknowledged data after `user_timeout_usec`
 * (TCP_USER_TIMEOUT, tcp(7)). Never calls back from within this call. */
int connector_new(sd_event *event, struct addrinfo *list, uint64_t user_timeout_usec,
                  const ConnectorCallbacks *callbacks, void *userdata, Connector **ret);
Connector *connector_free(Connector *c);
DEFINE_CLEANUP(Connector *, connector_free)
