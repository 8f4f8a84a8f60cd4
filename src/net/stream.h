/* SPDX-License-Identifier: Apache-2.0 */
/* One WebSocket connection on an sd_event loop, either side: TLS handshake, HTTP head, frames. What
 * is said in the heads, and when, is the owner's. */
#pragma once

#include <systemd/sd-event.h>

#include "net/transport.h"
#include "proto/websocket-reader.h"

typedef struct Stream Stream;

/* on_closed() is the last call and the only one in which the owner may free the stream. */
typedef struct StreamCallbacks {
    /* connected, and TLS is up if there is any */
    void (*on_secured)(void *userdata);
    /* the peer's whole HTTP head; 0: frames follow, negative errno: fail with that */
    int (*on_head)(const char *head, size_t size, void *userdata);
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* may be NULL; see proto/websocket-reader.h */
    uint16_t (*on_excess)(const char *data, size_t size, bool is_last, void *userdata);
    /* `error`: 0 when the peer ended it, else negative errno; -ECONNABORTED is TLS's */
    void (*on_closed)(int error, void *userdata);
} StreamCallbacks;

/* Takes over the transport. Begins at once: TLS handshake if the transport has TLS. */
int stream_new(sd_event *event, Transport *transport, bool client, const StreamCallbacks *callbacks,
               void *userdata, Stream **ret);
/* Bytes that still wait are dropped. */
Stream *stream_free(Stream *s);
DEFINE_CLEANUP(Stream *, stream_free)

Transport *stream_get_transport(Stream *s) _pure_;
/* CLOCK_BOOTTIME of the last bytes that came in or, while nothing is read because the peer does
 * not read either, that went out. */
uint64_t stream_last_alive_usec(const Stream *s) _pure_;
/* Takes it for a sign of life when the peer has acknowledged some, since the last call, of what
 * still waits in the kernel: a slow link, behind whose queue the answers to our pings come. */
void stream_note_progress(Stream *s);
/* Code of the peer's close frame, or 0. */
uint16_t stream_close_code(const Stream *s);

/* More than SEND_QUEUE_HIGH_MAX bytes waited to be sent, and not few enough of them are gone. */
bool stream_is_congested(const Stream *s) _pure_;

/* The peer is known: its messages may have MESSAGE_SIZE_MAX bytes from now on, and not only
 * HANDSHAKE_SIZE_MAX. */
void stream_trust(Stream *s);

/* See proto/websocket-reader.h. */
void stream_set_receive_budget(Stream *s, ReceiveBudget *budget);

/* Queues an HTTP head. -EBUSY: one is still being sent. */
int stream_send_head(Stream *s, const char *head);
/* Queue frames; errors as in proto/websocket.h; -ENOTCONN before the heads are through. While more
 * than SEND_QUEUE_HIGH_MAX bytes wait, a client reads nothing. */
int stream_send_text(Stream *s, const char *text, size_t size);
int stream_send_ping(Stream *s);
/* Sends a close frame as far as that does not block. The owner frees the stream next, or waits for
 * on_closed(). */
void stream_send_close(Stream *s, uint16_t code, const char *reason);
/* Ends it from inside a callback: on_closed(error) follows. */
void stream_fail(Stream *s, int error);
