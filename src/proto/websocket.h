/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket framing (RFC 6455) after the upgrade, with wslay. Pure: bytes go in and out by call,
 * so that transport, tests and fuzzers drive it alike. Pings are answered by themselves. What a
 * peer must not send queues a close frame with the code of RFC 6455, section 7.4.1: 1002 for a
 * broken frame, 1007 for invalid UTF-8 in a text or a reason, 1009 for a message over
 * MESSAGE_SIZE_MAX or FRAGMENTS_MAX, 1008 for more than PONGS_WAITING_MAX pings whose pongs are not
 * read. */
#pragma once

#include "proto/websocket-reader.h"

typedef struct WebSocket WebSocket;

typedef struct WebSocketCallbacks {
    /* one whole message; `text` is not NUL-terminated and valid during the call */
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* may be NULL; see proto/websocket-reader.h */
    uint16_t (*on_excess)(const char *data, size_t size, bool is_last, void *userdata);
} WebSocketCallbacks;

int websocket_new(bool client, const WebSocketCallbacks *callbacks, void *userdata,
                  WebSocket **ret);
WebSocket *websocket_free(WebSocket *w);
DEFINE_CLEANUP(WebSocket *, websocket_free)

/* Bytes of a message that the peer may send, MESSAGE_SIZE_MAX at first. */
void websocket_set_message_max(WebSocket *w, size_t size_max);
/* See proto/websocket-reader.h. */
void websocket_set_receive_budget(WebSocket *w, ReceiveBudget *budget);

/* Takes what the peer sent. Returns 0; -EPROTO when framing is lost (a close frame is queued);
 * -ENOMEM. on_message() may be called several times; it must not free `w`. */
int websocket_feed(WebSocket *w, const void *data, size_t size);

/* -ENOBUFS: more than SEND_QUEUE_MAX bytes would wait; -EMSGSIZE: larger than MESSAGE_SIZE_MAX;
 * -EPIPE: a close frame was queued already. */
int websocket_send_text(WebSocket *w, const char *text, size_t size);
int websocket_send_ping(WebSocket *w);
/* After the messages that wait. */
int websocket_send_close(WebSocket *w, uint16_t code, const char *reason);

/* Moves encoded bytes that are to be sent into buf: their number, 0 if there are none, or -errno.
 */
ssize_t websocket_output(WebSocket *w, void *buf, size_t size);
bool websocket_has_output(const WebSocket *w);
/* Bytes of messages that wait in the queue. */
size_t websocket_queued_size(const WebSocket *w);

/* The code of the close frame the peer sent (1005 if it had none), or 0 while it sent none. */
uint16_t websocket_close_code(const WebSocket *w);
/* Both close frames are through: the connection can be closed. */
bool websocket_is_closed(const WebSocket *w);
