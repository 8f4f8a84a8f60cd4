/* SPDX-License-Identifier: Apache-2.0 */
/* What a WebSocket peer sends: frames, by wslay, put together to messages and held against RFC
 * 6455. Pure; websocket.c answers. */
#pragma once

#include "basic/macro.h"

typedef struct WebSocketReader WebSocketReader;

/* What the messages that many peers are sending may take together, beyond RECEIVE_FREE of each.
 * Where that is not enough, the message that began first is dropped, and its peer's connection
 * fails with 1013 when it goes on. It must outlive its readers. */
typedef struct ReceiveBudget {
    size_t left; /* the owner's to set at first */
    WebSocketReader *first, *last;
} ReceiveBudget;

/* None may free the reader. Pointers are valid during the call, and NULL where the size is 0. */
typedef struct WebSocketReaderCallbacks {
    void (*on_message)(const char *data, size_t size, bool is_text, void *userdata);
    /* may be NULL. A text of more than the largest size comes piece by piece as it is received, at
     * first with a size of 0; a close code that is not 0 refuses it. */
    uint16_t (*on_excess)(const char *data, size_t size, bool is_last, void *userdata);
    /* a close code that is not 0 ends the reading with that */
    uint16_t (*on_ping)(const void *data, size_t size, void *userdata);
    /* `code` is 0 if there was none; what comes after this is not read */
    void (*on_close)(uint16_t code, const char *reason, size_t size, void *userdata);
} WebSocketReaderCallbacks;

/* `masked`: the peer is a client, which has to mask its frames. */
int websocket_reader_new(bool masked, const WebSocketReaderCallbacks *callbacks, void *userdata,
                         WebSocketReader **ret);
WebSocketReader *websocket_reader_free(WebSocketReader *r);
DEFINE_CLEANUP(WebSocketReader *, websocket_reader_free)

/* NULL, as at first: none. */
void websocket_reader_set_budget(WebSocketReader *r, ReceiveBudget *budget);
/* Bytes of a message, MESSAGE_SIZE_MAX at first. A frame that announces more is refused by its
 * header, or goes to on_excess(). */
void websocket_reader_set_message_max(WebSocketReader *r, size_t size_max);

/* Returns 0, -ENOMEM, or the close code with which the connection must now be failed. After
 * an error it must not be fed again. */
int websocket_reader_feed(WebSocketReader *r, const void *data, size_t size);
