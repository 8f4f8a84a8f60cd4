/* SPDX-License-Identifier: Apache-2.0 */
/* Does not use wslay's assembly of messages: that has no close code for an invalid frame header,
 * accepts a close frame of one byte, and checks a reason only if it arrives in one piece. */
#include "proto/websocket-reader.h"

#include <wslay/wslay.h>

#include "basic/bounds.h"

#define CODE_TRY_AGAIN_LATER 1013 /* registered since RFC 6455 */

/* Permitted bytes in the rest of the current character (RFC 3629, section 4). */
typedef struct Utf8 {
    uint8_t left; /* bytes to come */
    uint8_t min, max;
} Utf8;

typedef struct Incoming {
    uint8_t opcode; /* 0: none */
    bool final;     /* the current frame is the last one of its message */
    bool is_excess; /* passed on in pieces; no data is kept */
    Utf8 utf8;
    char *data;
    size_t size, allocated;
} Incoming;

struct WebSocketReader {
    wslay_frame_context_ptr frames;
    WebSocketReaderCallbacks callbacks;
    void *userdata;
    bool masked;
    bool closed;
    bool dropped; /* the budget needed the room for others */
    size_t message_max;
    ReceiveBudget *budget; /* or NULL */
    size_t charged;        /* to the budget, whose list then includes this reader */
    WebSocketReader *previous, *next;
    const uint8_t *in; /* input of the current call */
    size_t in_size;
    Incoming message, control; /* control frames may arrive between the fragments of a message */
    Incoming *current;         /* the one whose frame is incomplete, or NULL */
    uint64_t frame_left;       /* bytes of its payload still to come */
    unsigned n_fragments;
};

static bool utf8_take(Utf8 *u, uint8_t byte) {
    if (u->left > 0) {
        bool valid = byte >= u->min && byte <= u->max;

        *u = (Utf8){(uint8_t)(u->left - 1), 0x80, 0xbf};
        return valid;
    }
    if (byte < 0x80)
        return true;
    /* rejects overlong forms, surrogates, and characters beyond U+10FFFF */
    *u = (Utf8){
        .left = byte < 0xe0   ? 1
                : byte < 0xf0 ? 2
                              : 3,
        .min = byte == 0xe0   ? 0xa0
               : byte == 0xf0 ? 0x90
                              : 0x80,
        .max = byte == 0xed   ? 0x9f
               : byte == 0xf4 ? 0x8f
                              : 0xbf,
    };
    return byte >= 0xc2 && byte <= 0xf4;
}

static bool utf8_take_all(Utf8 *u, const void *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!utf8_take(u, ((const uint8_t *)data)[i]))
            return false;
    return true;
}

static void incoming_done(Incoming *i) {
    free(i->data);
    *i = (Incoming){};
}

static void give_charge_back(WebSocketReader *r) {
    if (r->charged == 0)
        return;
    r->budget->left += r->charged;
    r->charged = 0;
    *(r->previous ? &r->previous->next : &r->budget->first) = r->next;
    *(r->next ? &r->next->previous : &r->budget->last) = r->previous;
    r->previous = r->next = NULL;
}

static void message_done(WebSocketReader *r) {
    incoming_done(&r->message);
    give_charge_back(r);
}

static void add_charge(WebSocketReader *r, size_t size) {
    if (r->charged == 0) {
        r->previous = r->budget->last;
        *(r->previous ? &r->previous->next : &r->budget->first) = r;
        r->budget->last = r;
    }
    r->charged += size;
    r->budget->left -= size;
}

/* Accounts for a message of `size` bytes in all. */
static int charge(WebSocketReader *r, size_t size) {
    size_t more = size > RECEIVE_FREE + r->charged ? size - RECEIVE_FREE - r->charged : 0;

    if (!r->budget || more == 0)
        return 0;
    while (r->budget->left < more && r->budget->first) {
        WebSocketReader *oldest = r->budget->first;

        message_done(oldest);
        oldest->dropped = true;
    }
    if (r->dropped || r->budget->left < more)
        return CODE_TRY_AGAIN_LATER;
    add_charge(r, more);
    return 0;
}

/* Grows as bytes arrive, not by the announced size, and never beyond the size of the message. */
static int reserve(WebSocketReader *r, Incoming *i, size_t more) {
    size_t least = i->size + more;
    size_t most = i->final ? i->size + (size_t)r->frame_left : r->message_max;
    size_t wanted = MAX(least, MIN(2 * i->allocated, most));
    char *data;
    int code;

    if (least <= i->allocated)
        return 0;
    code = i == &r->message ? charge(r, wanted) : 0;
    if (code != 0)
        return code;
    data = realloc(i->data, wanted);
    if (!data)
        return -ENOMEM;
    i->data = data;
    i->allocated = wanted;
    return 0;
}

static ssize_t on_recv(uint8_t *buf, size_t size, int flags, void *userdata) {
    WebSocketReader *r = userdata;
    size_t n = MIN(size, r->in_size);

    if (n == 0)
        return -1;
    memcpy(buf, r->in, n);
    r->in += n;
    r->in_size -= n;
    return (ssize_t)n;
}

/* Passes the received part of the message on; the rest follows as it arrives. */
static int begin_excess(WebSocketReader *r) {
    Incoming *i = &r->message, kept = *i;
    int code;

    if (!r->callbacks.on_excess)
        return WSLAY_CODE_MESSAGE_TOO_BIG;
    i->is_excess = true;
    i->data = NULL;
    i->allocated = 0;
    give_charge_back(r);
    code = r->callbacks.on_excess(kept.data, kept.size, false, r->userdata);
    free(kept.data);
    return code;
}

static bool is_too_large(const WebSocketReader *r, uint64_t more, size_t size_max) {
    return r->message.size > size_max || more > size_max - r->message.size;
}

static int begin_frame(WebSocketReader *r, const struct wslay_frame_iocb *frame) {
    bool is_control = wslay_is_ctrl_frame(frame->opcode);
    Incoming *i = is_control ? &r->control : &r->message;

    if (frame->rsv != 0 || (frame->mask != 0) != r->masked || (frame->opcode & 7) > 2)
        return WSLAY_CODE_PROTOCOL_ERROR;
    /* a continuation needs a message in progress, and a new message needs none */
    if ((frame->opcode == WSLAY_CONTINUATION_FRAME) != (i->opcode != 0))
        return WSLAY_CODE_PROTOCOL_ERROR;
    if (!is_control && (++r->n_fragments > FRAGMENTS_MAX ||
                        is_too_large(r, frame->payload_length, MESSAGE_EXCESS_MAX)))
        return WSLAY_CODE_MESSAGE_TOO_BIG;

    if (i->opcode == 0)
        i->opcode = frame->opcode;
    i->final = frame->fin;
    r->current = i;
    r->frame_left = frame->payload_length;
    if (is_control || i->is_excess || !is_too_large(r, frame->payload_length, r->message_max))
        return 0;
    return i->opcode == WSLAY_TEXT_FRAME ? begin_excess(r) : WSLAY_CODE_MESSAGE_TOO_BIG;
}

/* RFC 6455, section 7.4, and the later registrations 1012 to 1014. */
static bool is_close_code(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int take_close(WebSocketReader *r, const char *data, size_t size) {
    uint16_t code = 0;
    Utf8 utf8 = {};

    if (size > 0) {
        if (size < sizeof(code))
            return WSLAY_CODE_PROTOCOL_ERROR;
        code = (uint16_t)((uint8_t)data[0] << 8 | (uint8_t)data[1]);
        if (!is_close_code(code))
            return WSLAY_CODE_PROTOCOL_ERROR;
        data += sizeof(code);
        size -= sizeof(code);
        if (!utf8_take_all(&utf8, data, size) || utf8.left > 0)
            return WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
    }
    r->closed = true;
    r->callbacks.on_close(code, data, size, r->userdata);
    return 0;
}

static int end_frame(WebSocketReader *r) {
    Incoming *i = TAKE_PTR(r->current);
    int code = 0;

    if (!i->final)
        return 0;
    switch (i->opcode) {
    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
        r->n_fragments = 0;
        if (i->utf8.left > 0)
            code = WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
        else if (i->is_excess)
            code = r->callbacks.on_excess(NULL, 0, true, r->userdata);
        else
            r->callbacks.on_message(i->data, i->size, i->opcode == WSLAY_TEXT_FRAME, r->userdata);
        break;
    case WSLAY_PING:
        code = r->callbacks.on_ping(i->data, i->size, r->userdata);
        break;
    case WSLAY_CONNECTION_CLOSE:
        code = take_close(r, i->data, i->size);
    }
    if (i == &r->message)
        message_done(r);
    else
        incoming_done(i);
    return code;
}

static int keep_payload(WebSocketReader *r, const struct wslay_frame_iocb *frame) {
    Incoming *i = r->current;
    int code;

    if (frame->data_length == 0)
        return 0;
    if (i->is_excess)
        return r->callbacks.on_excess((const char *)frame->data, frame->data_length, false,
                                      r->userdata);
    code = reserve(r, i, frame->data_length);
    if (code == 0)
        memcpy(i->data + i->size, frame->data, frame->data_length);
    return code;
}

static int take_payload(WebSocketReader *r, const struct wslay_frame_iocb *frame) {
    Incoming *i = r->current;
    int code;

    if (i->opcode == WSLAY_TEXT_FRAME && !utf8_take_all(&i->utf8, frame->data, frame->data_length))
        return WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
    code = keep_payload(r, frame);
    if (code != 0)
        return code;
    i->size += frame->data_length;
    r->frame_left -= frame->data_length;
    return r->frame_left == 0 ? end_frame(r) : 0;
}

int websocket_reader_feed(WebSocketReader *r, const void *data, size_t size) {
    int code = r->dropped ? CODE_TRY_AGAIN_LATER : 0;

    r->in = data;
    r->in_size = size;
    while (code == 0 && !r->closed) {
        struct wslay_frame_iocb frame = {};
        ssize_t n = wslay_frame_recv(r->frames, &frame);

        if (n == WSLAY_ERR_WANT_READ)
            break;
        if (n < 0) {
            code = WSLAY_CODE_PROTOCOL_ERROR;
            break;
        }
        if (!r->current)
            code = begin_frame(r, &frame);
        if (code == 0)
            code = take_payload(r, &frame);
    }
    r->in = NULL;
    r->in_size = 0;
    return code;
}

int websocket_reader_new(bool masked, const WebSocketReaderCallbacks *callbacks, void *userdata,
                         WebSocketReader **ret) {
    static const struct wslay_frame_callbacks hooks = {.recv_callback = on_recv};
    _cleanup_(websocket_reader_freep) WebSocketReader *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->masked = masked;
    r->message_max = MESSAGE_SIZE_MAX;
    r->callbacks = *callbacks;
    r->userdata = userdata;
    if (wslay_frame_context_init(&r->frames, &hooks, r) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(r);
    return 0;
}

void websocket_reader_set_budget(WebSocketReader *r, ReceiveBudget *budget) {
    assert(r->charged == 0);
    r->budget = budget;
}

void websocket_reader_set_message_max(WebSocketReader *r, size_t size_max) {
    r->message_max = size_max;
}

WebSocketReader *websocket_reader_free(WebSocketReader *r) {
    if (!r)
        return NULL;
    if (r->frames)
        wslay_frame_context_free(r->frames);
    message_done(r);
    incoming_done(&r->control);
    free(r);
    return NULL;
}
