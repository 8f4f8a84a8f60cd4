/* SPDX-License-Identifier: Apache-2.0 */
/* One WebSocket connection on an event loop, either side: TLS handshake, HTTP head, frames. The
 * owner decides what to send in the heads, and when. */
#pragma once

#include "net/poller.h"
#include "net/transport.h"
#include "proto/websocket-reader.h"

typedef struct Stream Stream;

/* on_closed() is the last callback, and the only one in which the owner may free the stream. */
typedef struct StreamCallbacks {
    /* connected, and the TLS handshake, if any, is complete */
    void (*on_secured)(void *userdata);
    /* the peer's complete HTTP head. Return 0 to continue with frames, or a negative errno to
     * fail */
    int (*on_head)(const char *head, size_t size, void *userdata);
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* may be NULL; see proto/websocket-reader.h */
    uint16_t (*on_excess)(const char *data, size_t size, bool is_last, void *userdata);
    /* `error`: 0 if the peer closed the stream, else a negative errno; -ECONNABORTED is an error of
     * TLS */
    void (*on_closed)(int error, void *userdata);
} StreamCallbacks;

/* Takes ownership of the transport. Begins at once: TLS handshake if the transport has TLS. */
int stream_new(Poller *poller, Transport *transport, bool client, const StreamCallbacks *callbacks,
               void *userdata, Stream **ret);
/* Discards bytes that are not sent yet. */
Stream *stream_free(Stream *s);
DEFINE_CLEANUP(Stream *, stream_free)

Transport *stream_get_transport(Stream *s) _pure_;
/* CLOCK_BOOTTIME of the last received bytes or, while nothing is read because the peer does not
 * read either, of the last sent bytes. */
uint64_t stream_last_alive_usec(const Stream *s) _pure_;
/* Counts as a sign of life that the peer has acknowledged some of the bytes in the kernel's queue
 * since the last call: on a slow link the answers to pings are delayed by that queue. */
void stream_note_progress(Stream *s);
/* Code of the peer's close frame, or 0. */
uint16_t stream_close_code(const Stream *s);

/* Whether the send queue has exceeded SEND_QUEUE_HIGH_MAX and not yet shrunk to
 * SEND_QUEUE_LOW_MAX. */
bool stream_is_congested(const Stream *s) _pure_;

/* Bytes of frames that wait for the socket. */
size_t stream_queued_size(const Stream *s);

/* Permits messages of MESSAGE_SIZE_MAX from now on instead of HANDSHAKE_SIZE_MAX, because the peer
 * has identified itself. */
void stream_trust(Stream *s);

/* See proto/websocket-reader.h. */
void stream_set_receive_budget(Stream *s, ReceiveBudget *budget);

/* Queues an HTTP head. -EBUSY: the previous one is still being sent. */
int stream_send_head(Stream *s, const char *head);
/* These queue frames; errors as in proto/websocket.h; -ENOTCONN before both heads are complete. A
 * client reads nothing while more than SEND_QUEUE_HIGH_MAX bytes are queued. */
int stream_send_text(Stream *s, const char *text, size_t size);
int stream_send_ping(Stream *s);
/* Sends a close frame as far as that does not block. Then free the stream, or wait for
 * on_closed(). */
void stream_send_close(Stream *s, uint16_t code, const char *reason);
/* Fails the stream from within a callback: on_closed(error) follows. */
void stream_fail(Stream *s, int error);
