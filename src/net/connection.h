/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's connection to its manager: found, secured, upgraded, introduced, kept alive, and made
 * anew for ever. */
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

/* What failed: on D-Bus, in the journal, and at the beginning of each error text. */
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
    Proxy proxy; /* without a host: none */
    TlsOptions tls, proxy_tls;
    uint64_t backoff_usec;
    uint64_t max_backoff_usec;
    uint64_t ping_usec; /* a ping each; silent for 2.5 of them is dead */
} ConnectionOptions;

void connection_options_done(ConnectionOptions *o);

typedef struct Connection Connection;

typedef struct ConnectionFailure {
    ConnectionFault fault;
    const char *text; /* which step, why, and what to do */
    bool was_open;
    uint64_t wait_usec; /* until the next attempt */
    unsigned n;         /* in a row; a connection that was stable ends the row */
    unsigned n_short;   /* connections in a row that were accepted and soon over */
} ConnectionFailure;

/* None of them may free the connection. Those without a comment may be NULL. */
typedef struct ConnectionCallbacks {
    /* the text of the handshake offer, freed by the connection; mandatory */
    int (*make_offer)(char **ret, size_t *ret_size, void *userdata);
    /* the manager says that the token belongs to another server: make a new one */
    void (*on_token_stale)(void *userdata);
    void (*on_open)(const HandshakeAnswer *answer, void *userdata);
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* an attempt, or an open connection, ended */
    void (*on_failure)(const ConnectionFailure *failure, void *userdata);
    void (*on_state)(ConnectionState state, void *userdata);
    /* a state of the attempt is over, with success; `found` is for people */
    void (*on_progress)(ConnectionState state, const char *found, void *userdata);
} ConnectionCallbacks;

typedef enum ConnectionWake { CONNECTION_WAKE_NETWORK, CONNECTION_WAKE_CLOCK } ConnectionWake;

const char *connection_state_to_string(ConnectionState state) _const_;
/* "DNS", "TCP", ...; "" for none */
const char *connection_fault_to_string(ConnectionFault fault) _const_;

int connection_new(sd_event *event, const ConnectionCallbacks *callbacks, void *userdata,
                   Connection **ret);
/* Says good-bye (close code 1001) as far as that does not block. */
Connection *connection_free(Connection *c);
DEFINE_CLEANUP(Connection *, connection_free)

/* Takes over the options and connects, at once and from the first backoff; an existing connection
 * is closed first. */
int connection_start(Connection *c, ConnectionOptions *options);
/* Likewise with the options that it has; nothing if it has none. */
void connection_restart(Connection *c);
/* Stops, and has no options any more. */
void connection_forget(Connection *c);
/* Something has changed, so that the next attempt is worth while now, unless the manager asked for
 * the pause. Also begins anew an attempt that has hung for a second at a name or an address. */
void connection_wake(Connection *c, ConnectionWake why);

ConnectionState connection_get_state(const Connection *c) _pure_;
/* Who was connected to last, the proxy if there is one; "" if nobody was. */
const char *connection_get_peer(const Connection *c) _pure_;
/* The address that this machine has in it; "" if there is no connection. */
void connection_get_local_address(const Connection *c, char ret[static INET6_ADDRSTRLEN]);
/* What TLS is used, for people; "" if none is. */
const char *connection_get_tls(const Connection *c) _pure_;
/* When the manager's certificate ends, CLOCK_REALTIME; 0: not known */
uint64_t connection_get_certificate_end_usec(const Connection *c) _pure_;

/* So much waits to be sent that nothing is read; what can wait should. */
bool connection_is_congested(const Connection *c) _pure_;
/* -ENOTCONN unless open; other errors as in proto/websocket.h. */
int connection_send(Connection *c, struct json_object *message);
