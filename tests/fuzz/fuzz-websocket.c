/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a peer. The first byte says which side we are and how often we write; the rest is a
 * sequence of pieces, each with its length in front, so that the input chooses where bytes are cut.
 */
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/websocket.h"

#define AS_SERVER 0x80
#define NEVER_WRITES 0x40
#define CLOSES 0x20

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    size_t *total = userdata;

    CHECK(size <= MESSAGE_SIZE_MAX);
    for (size_t i = 0; i < size; i++)
        *total += (unsigned char)text[i]; /* every byte is there to read */
}

static void drain(WebSocket *w) {
    char buf[7];
    ssize_t n;

    do {
        n = websocket_output(w, buf, sizeof(buf));
        CHECK(n <= (ssize_t)sizeof(buf));
    } while (n > 0);
    CHECK(!websocket_has_output(w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const WebSocketCallbacks callbacks = {.on_message = on_message};
    _cleanup_(websocket_freep) WebSocket *w = NULL;
    size_t total = 0;
    uint8_t flags;

    if (size == 0)
        return 0;
    flags = *data++;
    size--;
    CHECK(websocket_new(!(flags & AS_SERVER), &callbacks, &total, &w) == 0);
    (void)websocket_send_text(w, "first", 5);
    while (size > 0) {
        size_t n = MIN((size_t)data[0], size - 1);
        int r = websocket_feed(w, data + 1, n);

        CHECK(r == 0 || r == -EPROTO);
        if (!(flags & NEVER_WRITES))
            drain(w);
        data += 1 + n;
        size -= 1 + n;
        if (r < 0)
            break;
    }
    if (flags & CLOSES)
        (void)websocket_send_close(w, 1001, "bye");
    (void)websocket_send_text(w, "last", 4);
    drain(w);
    (void)websocket_is_closed(w);
    (void)websocket_close_code(w);
    return 0;
}
