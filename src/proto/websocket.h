/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket framing (RFC 6455) after the upgrade, with wslay. Pure: bytes go in and out by function
 * calls, in the agent as in tests and fuzzers. Answers pings itself. A violation by the peer queues
 * a close frame with the code of RFC 6455, section 7.4.1: 1002 for an invalid frame, 1007 for
 * invalid UTF-8 in a text or a reason, 1009 for a message over MESSAGE_SIZE_MAX or FRAGMENTS_MAX,
 * 1008 for more than PONGS_WAITING_MAX pings whose pongs the peer does not read. */
#pragma once

#include "proto/websocket-reader.h"

typedef struct WebSocket WebSocket;

typedef struct WebSocketCallbacks {
    /* receives one complete message; `text` is not NUL-terminated, and valid during the call */
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* may be NULL; see proto/websocket-reader.h */
    uint16_t (*on_excess)(const char *data, size_t size, bool is_last, void *userdata);
} WebSocketCallbacks;

int websocket_new(bool client, const WebSocketCallbacks *callbacks, void *userdata,
                  WebSocket **ret);
WebSocket *websocket_free(WebSocket *w);
DEFINE_CLEANUP(WebSocket *, websocket_free)

/* Sets the largest message that the peer may send; MESSAGE_SIZE_MAX at first. */
void websocket_set_message_max(WebSocket *w, size_t size_max);
/* See proto/websocket-reader.h. */
void websocket_set_receive_budget(WebSocket *w, ReceiveBudget *budget);

/* Processes bytes from the peer. Returns 0; -EPROTO after a violation (a close frame is queued); or
 * -ENOMEM. May call on_message() several times; the callback must not free `w`. */
int websocket_feed(WebSocket *w, const void *data, size_t size);

/* -ENOBUFS: more than SEND_QUEUE_MAX bytes would be queued; -EMSGSIZE: larger than
 * MESSAGE_SIZE_MAX; -EPIPE: a close frame is queued already. */
int websocket_send_text(WebSocket *w, const char *text, size_t size);
int websocket_send_ping(WebSocket *w);
/* Closes after all queued messages. */
int websocket_send_close(WebSocket *w, uint16_t code, const char *reason);

/* Moves encoded bytes into buf, to be sent. Returns their number, 0 if there are none, or
 * -errno. */
ssize_t websocket_output(WebSocket *w, void *buf, size_t size);
bool websocket_has_output(const WebSocket *w);
/* Bytes of all messages in the queue. */
size_t websocket_queued_size(const WebSocket *w);

/* The code of the peer's close frame (1005 if it had none), or 0 before the frame arrives. */
uint16_t websocket_close_code(const WebSocket *w);
/* Both close frames have passed, so the connection can be closed. */
bool websocket_is_closed(const WebSocket *w);
