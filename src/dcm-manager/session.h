/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of an agent: TLS, HTTP upgrade, handshake, messages, liveness, and a close with a
 * reason. The owner identifies the agent and interprets the messages. */
#pragma once

#include <systemd/sd-event.h>

#include "dcm-manager/offer.h"
#include "dcm-manager/tls-server.h"
#include "net/poller.h"
#include "proto/message.h"
#include "proto/websocket-reader.h"

#define CLOSE_GOING_AWAY 1001
#define CLOSE_PROTOCOL 1002
#define CLOSE_UNSUPPORTED 1003
#define CLOSE_BAD_DATA 1007
#define CLOSE_POLICY 1008
#define CLOSE_TOO_LARGE 1009
#define CLOSE_TRY_LATER 1013

typedef struct Session Session;

/* How often agents were refused, by code. */
typedef struct Refusals {
    uint64_t n_invalid, n_unauthorised, n_stale, n_busy; /* 400, 401, 409, 503 */
} Refusals;

typedef struct SessionOptions {
    uint64_t handshake_usec; /* from accept(2) to the offer */
    uint64_t ping_usec;      /* interval of pings; silence for 2.5 of it ends the session, not
                              * counting the time in which the manager did not read */
    uint64_t return_usec;    /* those that are sent away for now come back within this time */
    ReceiveBudget *budget;   /* shared by all sessions */
    Refusals *refusals;      /* the same */
} SessionOptions;

/* on_ended() is the last callback, and the only one in which the owner may free a session that is
 * on the stack; others it may free at any time. */
typedef struct SessionCallbacks {
    /* whether one that asks for a WebSocket may go on */
    bool (*on_upgrade)(void *userdata);
    /* why the manager takes no agents, for who asks for /health; NULL: it takes them */
    const char *(*on_health)(void *userdata);
    /* answer it, now or later, by session_accept() or session_refuse() */
    void (*on_offer)(const Offer *offer, void *userdata);
    void (*on_message)(const Message *m, void *userdata);
    /* a message that cannot be parsed, with type and ids alone. Return false to fail the
     * connection */
    bool (*on_unreadable)(const Message *m, const char *why, void *userdata);
    /* no more messages in either direction, although the peer may still receive the reason */
    void (*on_closing)(const char *why, void *userdata);
    void (*on_ended)(void *userdata);
} SessionCallbacks;

/* When one comes back that is sent away now: each at another time. */
unsigned session_draw_return_sec(const SessionOptions *options);

/* Takes ownership of the socket; `tls` may be NULL. */
int session_new(sd_event *event, Poller *poller, int fd, TlsServer *tls,
                const SessionOptions *options, const SessionCallbacks *callbacks, void *userdata,
                Session **ret);
Session *session_free(Session *s);
DEFINE_CLEANUP(Session *, session_free)

/* The peer's address: "192.0.2.7:40112". */
const char *session_peer(const Session *s) _pure_;
/* It is somebody else, for whom a proxy connects. */
void session_set_peer(Session *s, const char *peer);
/* CLOCK_BOOTTIME of the last received bytes. */
uint64_t session_last_received_usec(const Session *s);
/* Whether bytes have arrived that were not read yet. */
bool session_has_unread(const Session *s);

int session_accept(Session *s, const char *agent_id, const char *server_id, const char *name);
void session_refuse(Session *s, int code, const char *text);
/* -ENOTCONN unless accepted; other errors as in proto/websocket.h. */
int session_send(Session *s, struct json_object *message);
/* Whether a message of any size can be sent. */
bool session_has_room(const Session *s);
int session_ping(Session *s);
/* on_closing() follows at once, on_ended() after the peer's answer or a timeout. */
void session_close(Session *s, uint16_t code, const char *why);
