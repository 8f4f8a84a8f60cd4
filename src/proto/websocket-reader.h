/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the frames of a WebSocket peer with wslay, assembles messages, and checks them against RFC
 * 6455. Pure; websocket.c answers the peer. */
#pragma once

#include "basic/macro.h"

typedef struct WebSocketReader WebSocketReader;

/* Limits the memory for the incomplete messages of many peers together, beyond RECEIVE_FREE of
 * each. At the limit it drops the message that began first; that peer's connection fails with 1013
 * when the message continues. It must outlive its readers. */
typedef struct ReceiveBudget {
    size_t left; /* set by the owner at first */
    WebSocketReader *first, *last;
} ReceiveBudget;

/* No callback may free the reader. Pointers are valid during the call, and NULL if the size is
 * 0. */
typedef struct WebSocketReaderCallbacks {
    void (*on_message)(const char *data, size_t size, bool is_text, void *userdata);
    /* may be NULL. Receives a message above the largest size in pieces as they arrive, the first
     * with size 0; a close code other than 0 refuses the message. */
    uint16_t (*on_excess)(const char *data, size_t size, bool is_last, void *userdata);
    /* a close code other than 0 ends the reading with that code */
    uint16_t (*on_ping)(const void *data, size_t size, void *userdata);
    /* `code` is 0 if there was none; nothing after the close frame is read */
    void (*on_close)(uint16_t code, const char *reason, size_t size, void *userdata);
} WebSocketReaderCallbacks;

/* `masked`: the peer is a client, whose frames must be masked. */
int websocket_reader_new(bool masked, const WebSocketReaderCallbacks *callbacks, void *userdata,
                         WebSocketReader **ret);
WebSocketReader *websocket_reader_free(WebSocketReader *r);
DEFINE_CLEANUP(WebSocketReader *, websocket_reader_free)

/* `budget` may be NULL, the default: no shared limit. */
void websocket_reader_set_budget(WebSocketReader *r, ReceiveBudget *budget);
/* Sets the largest size of a message; MESSAGE_SIZE_MAX at first. The header of a larger frame is
 * refused, or the message goes to on_excess(). */
void websocket_reader_set_message_max(WebSocketReader *r, size_t size_max);

/* Returns 0, -ENOMEM, or the close code for the connection. After an error the reader must not be
 * fed again. */
int websocket_reader_feed(WebSocketReader *r, const void *data, size_t size);
