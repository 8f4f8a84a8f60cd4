/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's connection to its manager: establishes it, performs the handshake, keeps it alive,
 * and reconnects for ever. */
#pragma once

#include <netinet/in.h>
#include <systemd/sd-event.h>

#include "net/tls-client.h"
#include "proto/handshake.h"
#include "proto/proxy.h"
#include "proto/url.h"

typedef enum ConnectionState {
    CONNECTION_IDLE, /* not started */
    CONNECTION_WAITING,
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_PROXYING,
    CONNECTION_TLS,
    CONNECTION_UPGRADING,
    CONNECTION_HANDSHAKING,
    CONNECTION_OPEN,
    _CONNECTION_STATE_MAX,
} ConnectionState;

/* The failed step, as shown on D-Bus, in the journal, and at the beginning of each error text. */
typedef enum ConnectionFault {
    CONNECTION_FAULT_NONE,
    CONNECTION_FAULT_NAME,
    CONNECTION_FAULT_ROUTE,
    CONNECTION_FAULT_TCP,
    CONNECTION_FAULT_PROXY,
    CONNECTION_FAULT_TLS,
    CONNECTION_FAULT_HTTP,
    CONNECTION_FAULT_HANDSHAKE,
    CONNECTION_FAULT_LINK, /* an open connection ended */
    _CONNECTION_FAULT_MAX,
} ConnectionFault;

typedef struct ConnectionOptions {
    Url url;
    Proxy proxy; /* without a host: no proxy */
    TlsOptions tls, proxy_tls;
    uint64_t backoff_usec;
    uint64_t max_backoff_usec;
    uint64_t ping_usec; /* interval of pings; silence for 2.5 of it ends the connection */
} ConnectionOptions;

void connection_options_done(ConnectionOptions *o);

typedef struct Connection Connection;

typedef struct ConnectionFailure {
    ConnectionFault fault;
    const char *text; /* step, cause and remedy */
    bool was_open;
    uint64_t wait_usec; /* until the next attempt */
    unsigned n;         /* in a row; a stable connection ends the row */
    unsigned n_short;   /* accepted connections in a row that ended early */
} ConnectionFailure;

/* No callback may free the connection. Those without a comment may be NULL. */
typedef struct ConnectionCallbacks {
    /* makes the text of the handshake offer, which the connection frees; mandatory */
    int (*make_offer)(char **ret, size_t *ret_size, void *userdata);
    /* the token belongs to another server, says the manager: make a new one */
    void (*on_token_stale)(void *userdata);
    void (*on_open)(const HandshakeAnswer *answer, void *userdata);
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* an attempt, or an open connection, ended */
    void (*on_failure)(const ConnectionFailure *failure, void *userdata);
    void (*on_state)(ConnectionState state, void *userdata);
    /* a step has succeeded; `found` is its result, for people */
    void (*on_progress)(ConnectionState state, const char *found, void *userdata);
} ConnectionCallbacks;

typedef enum ConnectionWake { CONNECTION_WAKE_NETWORK, CONNECTION_WAKE_CLOCK } ConnectionWake;

const char *connection_state_to_string(ConnectionState state) _const_;
/* "DNS", "TCP", ...; "" for none */
const char *connection_fault_to_string(ConnectionFault fault) _const_;

int connection_new(sd_event *event, const ConnectionCallbacks *callbacks, void *userdata,
                   Connection **ret);
/* Sends a close frame (code 1001) as far as that does not block. */
Connection *connection_free(Connection *c);
DEFINE_CLEANUP(Connection *, connection_free)

/* Takes ownership of the options and connects at once, with the backoff reset; closes an existing
 * connection first. */
int connection_start(Connection *c, ConnectionOptions *options);
/* The same with the previous options; does nothing without options. */
void connection_restart(Connection *c);
/* Disconnects and drops the options. */
void connection_forget(Connection *c);
/* Starts the next attempt now, because an event makes it promising, unless the manager requested
 * the pause. Also restarts an attempt that has waited for a second for a name or an address. */
void connection_wake(Connection *c, ConnectionWake why);

ConnectionState connection_get_state(const Connection *c) _pure_;
/* The latest peer, which is the proxy if there is one; "" before the first connection. */
const char *connection_get_peer(const Connection *c) _pure_;
/* The local address of the connection; "" if there is none. */
void connection_get_local_address(const Connection *c, char ret[static INET6_ADDRSTRLEN]);
/* The TLS parameters, for people; "" without TLS. */
const char *connection_get_tls(const Connection *c) _pure_;
/* Expiry of the manager's certificate, CLOCK_REALTIME; 0: unknown */
uint64_t connection_get_certificate_end_usec(const Connection *c) _pure_;

/* Whether the send queue is so long that the agent does not read; callers should delay messages
 * that can wait. */
bool connection_is_congested(const Connection *c) _pure_;
/* -ENOTCONN unless open; other errors as in proto/websocket.h. */
int connection_send(Connection *c, struct json_object *message);
