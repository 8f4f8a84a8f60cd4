/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection to any of several addresses: Happy Eyeballs (RFC 8305, sections 4 and 5).
 * Families take turns, the next address is tried 250 ms after the last one or as soon as that has
 * failed, and the first that answers is taken. */
#pragma once

#include <netdb.h>
#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Connector Connector;

/* Either is the last call, and may free the connector. */
typedef struct ConnectorCallbacks {
    /* the socket is the callee's */
    void (*on_connected)(int fd, const char *peer, void *userdata);
    /* `is_route`: for no address there was a route */
    void (*on_failed)(const char *error, bool is_route, void *userdata);
} ConnectorCallbacks;

/* Takes over the list. Unsent data is given up after `user_timeout_usec` (TCP_USER_TIMEOUT,
 * tcp(7)). The callback never comes from inside of this call. */
int connector_new(sd_event *event, struct addrinfo *list, uint64_t user_timeout_usec,
                  const ConnectorCallbacks *callbacks, void *userdata, Connector **ret);
Connector *connector_free(Connector *c);
DEFINE_CLEANUP(Connector *, connector_free)
