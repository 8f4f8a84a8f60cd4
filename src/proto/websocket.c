/* SPDX-License-Identifier: Apache-2.0 */
/* Incoming bytes go to websocket-reader.c. wslay has the queue of outgoing messages; it returns
 * bytes by a callback, and `out` is the buffer of the current call. Its context has buffers of 8
 * KiB, and so exists only while something is queued: most connections of a manager are idle. */
#include "proto/websocket.h"

#include <sys/random.h>
#include <wslay/wslay.h>

#include "basic/bounds.h"

#define CLOSE_REASON_MAX 123 /* RFC 6455, section 5.5 */
#define MASKS_SIZE 512       /* random bytes requested at a time */

struct WebSocket {
    wslay_event_context_ptr context; /* NULL: nothing is queued */
    WebSocketReader *reader;
    WebSocketCallbacks callbacks;
    void *userdata;
    bool broken;        /* reading has ended */
    uint16_t peer_code; /* of the peer's close frame */
    uint8_t *out;
    size_t out_size;
    unsigned n_pongs; /* queued since the queue was last empty */
    uint8_t *masks;   /* random, of a client for its next frames */
    size_t masks_left;
    bool client;
    bool close_sent; /* nothing may be queued any more */
    /* to be sent after the queued messages */
    bool close_wanted;
    uint16_t close_code;
    char close_reason[CLOSE_REASON_MAX + 1];
};

static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *data, size_t size, int flags,
                       void *userdata) {
    WebSocket *w = userdata;
    size_t n = MIN(size, w->out_size);

    if (n == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(w->out, data, n);
    w->out += n;
    w->out_size -= n;
    return (ssize_t)n;
}

static int on_genmask(wslay_event_context_ptr context, uint8_t *buf, size_t size, void *userdata) {
    WebSocket *w = userdata;

    if (w->masks_left < size) {
        w->masks_left = 0;
        if (!w->masks)
            w->masks = malloc(MASKS_SIZE);
        if (!w->masks || size > MASKS_SIZE || getrandom(w->masks, MASKS_SIZE, 0) != MASKS_SIZE) {
            wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
            return -1;
        }
        w->masks_left = MASKS_SIZE;
    }
    w->masks_left -= size;
    memcpy(buf, w->masks + w->masks_left, size);
    return 0;
}

static int map_error(int error) {
    switch (error) {
    case 0:
    case WSLAY_ERR_WOULDBLOCK:
        return 0;
    case WSLAY_ERR_NOMEM:
        return -ENOMEM;
    case WSLAY_ERR_NO_MORE_MSG:
        return -EPIPE;
    default:
        return -EPROTO;
    }
}

static int need_context(WebSocket *w) {
    static const struct wslay_event_callbacks hooks = {
        .send_callback = on_send,
        .genmask_callback = on_genmask,
    };

    if (w->close_sent)
        return -EPIPE;
    if (w->context)
        return 0;
    return map_error(w->client ? wslay_event_context_client_init(&w->context, &hooks, w)
                               : wslay_event_context_server_init(&w->context, &hooks, w));
}

static bool has_queued(const WebSocket *w) {
    return w->context && wslay_event_want_write(w->context);
}

static void drop_context(WebSocket *w) {
    if (!w->context)
        return;
    w->close_sent |= wslay_event_get_close_sent(w->context);
    wslay_event_context_free(w->context);
    w->context = NULL;
}

static int queue(WebSocket *w, uint8_t opcode, const void *data, size_t size) {
    struct wslay_event_msg message = {.opcode = opcode, .msg = data, .msg_length = size};

    TRY(need_context(w));
    return map_error(wslay_event_queue_msg(w->context, &message));
}

/* Sends the close frame before all queued messages, which are then never sent. */
static int queue_close(WebSocket *w, uint16_t code, const char *reason, size_t size) {
    w->close_wanted = false;
    TRY(need_context(w));
    return map_error(wslay_event_queue_close(w->context, code, (const uint8_t *)reason, size));
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    WebSocket *w = userdata;

    w->callbacks.on_message(text, size, is_text, w->userdata);
}

static uint16_t on_excess(const char *data, size_t size, bool is_last, void *userdata) {
    WebSocket *w = userdata;

    return w->callbacks.on_excess(data, size, is_last, w->userdata);
}

static uint16_t on_ping(const void *data, size_t size, void *userdata) {
    WebSocket *w = userdata;

    (void)queue(w, WSLAY_PONG, data, size);
    return ++w->n_pongs > PONGS_WAITING_MAX ? WSLAY_CODE_POLICY_VIOLATION : 0;
}

static void on_close(uint16_t code, const char *reason, size_t size, void *userdata) {
    WebSocket *w = userdata;

    w->peer_code = code ?: WSLAY_CODE_NO_STATUS_RCVD;
    (void)queue_close(w, code, reason, size);
}

int websocket_new(bool client, const WebSocketCallbacks *callbacks, void *userdata,
                  WebSocket **ret) {
    const WebSocketReaderCallbacks reader_callbacks = {
        .on_message = on_message,
        .on_excess = callbacks->on_excess ? on_excess : NULL,
        .on_ping = on_ping,
        .on_close = on_close,
    };
    _cleanup_(websocket_freep) WebSocket *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->callbacks = *callbacks;
    w->userdata = userdata;
    w->client = client;
    TRY(websocket_reader_new(!client, &reader_callbacks, w, &w->reader));
    *ret = TAKE_PTR(w);
    return 0;
}

WebSocket *websocket_free(WebSocket *w) {
    if (!w)
        return NULL;
    drop_context(w);
    websocket_reader_free(w->reader);
    free(w->masks);
    free(w);
    return NULL;
}

void websocket_set_message_max(WebSocket *w, size_t size_max) {
    websocket_reader_set_message_max(w->reader, size_max);
}

void websocket_set_receive_budget(WebSocket *w, ReceiveBudget *budget) {
    websocket_reader_set_budget(w->reader, budget);
}

int websocket_feed(WebSocket *w, const void *data, size_t size) {
    int r;

    if (w->broken)
        return -EPROTO;
    r = websocket_reader_feed(w->reader, data, size);
    if (r == 0)
        return 0;
    w->broken = true;
    if (r < 0)
        return r;
    (void)websocket_send_close(w, (uint16_t)r, NULL); /* after the answers to earlier messages */
    return -EPROTO;
}

int websocket_send_text(WebSocket *w, const char *text, size_t size) {
    if (w->close_wanted)
        return -EPIPE;
    if (size > MESSAGE_SIZE_MAX)
        return -EMSGSIZE;
    if (websocket_queued_size(w) + size > SEND_QUEUE_MAX)
        return -ENOBUFS;
    return queue(w, WSLAY_TEXT_FRAME, text, size);
}

int websocket_send_ping(WebSocket *w) {
    return queue(w, WSLAY_PING, NULL, 0);
}

static int queue_wanted_close(WebSocket *w) {
    return queue_close(w, w->close_code, w->close_reason, strlen(w->close_reason));
}

int websocket_send_close(WebSocket *w, uint16_t code, const char *reason) {
    size_t size = strnlen(strempty(reason), CLOSE_REASON_MAX + 1);

    if (size > CLOSE_REASON_MAX)
        return -EMSGSIZE;
    if (w->close_wanted)
        return -EPIPE;
    w->close_code = code;
    memcpy(w->close_reason, strempty(reason), size);
    w->close_reason[size] = 0;
    w->close_wanted = true;
    return has_queued(w) ? 0 : queue_wanted_close(w);
}

ssize_t websocket_output(WebSocket *w, void *buf, size_t size) {
    int r;

    w->out = buf;
    w->out_size = size;
    r = w->context ? wslay_event_send(w->context) : 0;
    if (r == 0 && w->close_wanted && !has_queued(w)) {
        if (queue_wanted_close(w) >= 0)
            r = wslay_event_send(w->context);
    }
    size -= w->out_size;
    w->out = NULL;
    w->out_size = 0;
    r = map_error(r);
    if (!has_queued(w)) {
        w->n_pongs = 0;
        drop_context(w);
    }
    return r < 0 && size == 0 ? r : (ssize_t)size;
}

bool websocket_has_output(const WebSocket *w) {
    return has_queued(w) || w->close_wanted;
}

size_t websocket_queued_size(const WebSocket *w) {
    return w->context ? wslay_event_get_queued_msg_length(w->context) : 0;
}

uint16_t websocket_close_code(const WebSocket *w) {
    return w->peer_code;
}

bool websocket_is_closed(const WebSocket *w) {
    return w->peer_code > 0 &&
           (w->close_sent || (w->context && wslay_event_get_close_sent(w->context)));
}
