/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's connection to its manager: found, secured, upgraded, introduced, kept alive, and made
 * anew for ever. */
#pragma once

#include <systemd/sd-event.h>

#include "net/tls-client.h"
#include "proto/handshake.h"
#include "proto/url.h"

typedef enum ConnectionState {
    CONNECTION_IDLE, /* not started */
    CONNECTION_WAITING,
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_TLS,
    CONNECTION_UPGRADING,
    CONNECTION_HANDSHAKING,
    CONNECTION_OPEN,
    _CONNECTION_STATE_MAX,
} ConnectionState;

typedef struct ConnectionOptions {
    Url url;
    TlsOptions tls;
    uint64_t backoff_usec;
    uint64_t max_backoff_usec;
    uint64_t ping_usec; /* a ping each; silent for 2.5 of them is dead */
} ConnectionOptions;

void connection_options_done(ConnectionOptions *o);

typedef struct Connection Connection;

/* None of them may free the connection. */
typedef struct ConnectionCallbacks {
    /* the text of the handshake offer, freed by the connection */
    int (*make_offer)(char **ret, size_t *ret_size, void *userdata);
    /* the manager says that the token belongs to another server: make a new one */
    void (*on_token_stale)(void *userdata);
    void (*on_open)(const HandshakeAnswer *answer, void *userdata);
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* an attempt, or an open connection, ended; the next attempt begins after wait_usec */
    void (*on_failure)(const char *error, bool was_open, uint64_t wait_usec, void *userdata);
    void (*on_state)(ConnectionState state, void *userdata);
} ConnectionCallbacks;

const char *connection_state_to_string(ConnectionState state) _const_;

int connection_new(sd_event *event, const ConnectionCallbacks *callbacks, void *userdata,
                   Connection **ret);
/* Says good-bye (close code 1001) as far as that does not block. */
Connection *connection_free(Connection *c);
DEFINE_CLEANUP(Connection *, connection_free)

/* Takes over the options and connects, at once and from the first backoff; an existing connection
 * is closed first. */
int connection_start(Connection *c, ConnectionOptions *options);
void connection_stop(Connection *c);

ConnectionState connection_get_state(const Connection *c) _pure_;

/* -ENOTCONN unless open; other errors as in proto/websocket.h. */
int connection_send(Connection *c, struct json_object *message);
