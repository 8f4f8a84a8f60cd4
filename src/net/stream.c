/* SPDX-License-Identifier: Apache-2.0 */
/*
 *  PHASE_TLS ── handshake ──▶ PHASE_HEAD ── peer's head ──▶ PHASE_FRAMES
 *
 * A client whose send queue is long reads nothing until the queue has shrunk: a peer that floods it
 * must also read. If both sides wait for each other, the client resumes reading at a ping, and
 * discards messages that it cannot queue.
 *
 * Owners may not free the stream while one of its functions is on the stack, except in on_closed();
 * stream_fail() notes the error instead, and the io handler delivers it. */
#include "net/stream.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "basic/bounds.h"
#include "basic/time-util.h"
#include "proto/http-head.h"
#include "proto/websocket.h"

#define CHUNK ((size_t)16 * 1024)
#define LARGE_MESSAGE_SIZE ((size_t)256 * 1024)
#define READS_PER_WAKEUP 64 /* then other event sources take their turn */

typedef enum Phase { PHASE_TLS, PHASE_HEAD, PHASE_FRAMES } Phase;

struct Stream {
    Transport *transport;
    PollSource *source;
    StreamCallbacks callbacks;
    void *userdata;
    Phase phase;
    WebSocket *websocket;
    char *head; /* received part of the peer's head */
    size_t head_size;
    char *out; /* what the socket did not take; TLS needs the same bytes for a retry */
    size_t out_size, out_offset;
    uint64_t alive_usec;
    uint64_t acked_bytes; /* by the peer's kernel, at the last check */
    bool client;
    bool congested;         /* reading is suspended, */
    bool relieved;          /* except if the peer does not read either */
    bool progressed;        /* something was written since the last ping */
    bool had_large_message; /* since memory was last returned to the system */
    bool failed;
    int error;
};

Stream *stream_free(Stream *s) {
    if (!s)
        return NULL;
    poll_source_free(s->source);
    websocket_free(s->websocket);
    transport_free(s->transport);
    free(s->head);
    free(s->out);
    free(s);
    return NULL;
}

Transport *stream_get_transport(Stream *s) {
    return s->transport;
}

uint64_t stream_last_alive_usec(const Stream *s) {
    return s->alive_usec;
}

bool stream_is_congested(const Stream *s) {
    return s->congested;
}

size_t stream_queued_size(const Stream *s) {
    return s->websocket ? websocket_queued_size(s->websocket) : 0;
}

void stream_note_progress(Stream *s) {
    int fd = transport_get_fd(s->transport), waiting = 0;
    struct tcp_info info = {};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        ioctl(fd, SIOCOUTQ, &waiting) < 0)
        return;
    if (waiting > 0 && info.tcpi_bytes_acked > s->acked_bytes)
        s->alive_usec = now_usec(CLOCK_BOOTTIME);
    s->acked_bytes = info.tcpi_bytes_acked;
}

uint16_t stream_close_code(const Stream *s) {
    return websocket_close_code(s->websocket);
}

void stream_fail(Stream *s, int error) {
    if (s->failed)
        return;
    s->failed = true;
    s->error = error;
}

static bool update_congested(Stream *s) {
    size_t queued = s->websocket && s->client ? websocket_queued_size(s->websocket) : 0;

    if (queued > SEND_QUEUE_HIGH_MAX)
        s->congested = true;
    else if (queued <= SEND_QUEUE_LOW_MAX)
        s->congested = s->relieved = false;
    return s->congested && !s->relieved;
}

static bool has_output(const Stream *s) {
    return s->out || (s->phase == PHASE_FRAMES && websocket_has_output(s->websocket));
}

/* Returns the number of bytes that were written, as far as the socket takes them now. */
static ssize_t write_out(Stream *s, const char *data, size_t size) {
    size_t written = 0;
    ssize_t n = 0;

    while (written < size && n >= 0) {
        n = transport_write(s->transport, data + written, size - written);
        written += (size_t)MAX(n, (ssize_t)0);
    }
    if (n < 0 && n != -EAGAIN)
        return n;
    if (written > 0) {
        s->progressed = true;
        if (s->congested)
            s->alive_usec = now_usec(CLOCK_BOOTTIME);
    }
    return (ssize_t)written;
}

static int keep_out(Stream *s, const char *data, size_t size) {
    s->out = malloc(size);
    if (!s->out)
        return -ENOMEM;
    memcpy(s->out, data, size);
    s->out_size = size;
    s->out_offset = 0;
    return 0;
}

/* Writes what was kept. 1: all of it */
static int flush_kept(Stream *s) {
    ssize_t n;

    if (!s->out)
        return 1;
    n = write_out(s, s->out + s->out_offset, s->out_size - s->out_offset);
    if (n < 0)
        return (int)n;
    s->out_offset += (size_t)n;
    if (s->out_offset < s->out_size)
        return 0;
    free(TAKE_PTR(s->out));
    s->out_size = s->out_offset = 0;
    return 1;
}

/* Only what the socket does not take needs memory of its own. */
static int flush(Stream *s) {
    char data[CHUNK];
    int r;

    while ((r = flush_kept(s)) > 0) {
        ssize_t size, n;

        if (s->phase != PHASE_FRAMES || !websocket_has_output(s->websocket))
            return 0;
        size = websocket_output(s->websocket, data, sizeof(data));
        if (size <= 0)
            return (int)size;
        n = write_out(s, data, (size_t)size);
        if (n < 0)
            return (int)n;
        if (n < size)
            return keep_out(s, data + n, (size_t)(size - n));
    }
    return r;
}

/* Call after a flush: remaining bytes wait for the socket. */
static void update_events(Stream *s) {
    uint32_t events;

    if (s->phase == PHASE_TLS)
        events = transport_wants(s->transport);
    else
        events = (update_congested(s) ? 0u : EPOLLIN) | (has_output(s) ? EPOLLOUT : 0u);
    (void)poll_source_set_events(s->source, events);
}

/* Writes all that is queued in this turn of the loop, at once. */
static void flush_soon(Stream *s) {
    poll_source_call_soon(s->source);
}

static int append_head(Stream *s, const char *data, size_t size) {
    char *grown = realloc(s->head, s->head_size + size + 1);

    if (!grown)
        return -ENOMEM;
    s->head = grown;
    memcpy(s->head + s->head_size, data, size);
    s->head_size += size;
    return 0;
}

/* Bytes after the head in the same segment are frames already. */
static int take_head(Stream *s, const char *data, size_t size) {
    _cleanup_free_ char *head = NULL;
    ssize_t head_size;
    int r;

    TRY(append_head(s, data, size));
    head_size = http_head_size(s->head, s->head_size);
    if (head_size == -EAGAIN)
        return 0;
    if (head_size < 0)
        return (int)head_size;

    s->phase = PHASE_FRAMES;
    head = TAKE_PTR(s->head);
    r = s->callbacks.on_head(head, (size_t)head_size, s->userdata);
    if (r < 0 || s->failed)
        return r;
    return (size_t)head_size < s->head_size
               ? websocket_feed(s->websocket, head + head_size, s->head_size - (size_t)head_size)
               : 0;
}

/* Returns freed memory to the system: many small values would leave the heap as large as it was. */
static void give_back(Stream *s) {
    if (s->had_large_message)
        (void)malloc_trim(0);
    s->had_large_message = false;
}

static int feed(Stream *s, const char *data, size_t size) {
    int r;

    r = s->phase == PHASE_HEAD ? take_head(s, data, size)
                               : websocket_feed(s->websocket, data, size);
    give_back(s);
    return r;
}

static int receive(Stream *s) {
    char buf[CHUNK];
    int r = 0;

    for (unsigned i = 0; i < READS_PER_WAKEUP || transport_has_pending(s->transport); i++) {
        ssize_t n = transport_read(s->transport, buf, sizeof(buf));

        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        if (n == 0) {
            stream_fail(s, 0);
            return 0;
        }
        s->alive_usec = now_usec(CLOCK_BOOTTIME);
        r = feed(s, buf, (size_t)n);
        if (r < 0 || s->failed)
            return r;
        if (update_congested(s))
            return 0;
    }
    return 0;
}

/* Reads at once: bytes may be in TLS's buffer, which poll() does not report. */
static int resume_reading(Stream *s) {
    return s->phase == PHASE_FRAMES && !s->failed && !update_congested(s) ? receive(s) : 0;
}

static int shake_hands(Stream *s) {
    int r;

    r = transport_handshake(s->transport);
    if (r < 0)
        return r == -EAGAIN ? 0 : r;
    s->phase = PHASE_HEAD;
    s->callbacks.on_secured(s->userdata);
    return 0;
}

/* True: the stream has ended, and the owner may have freed it. */
static bool end_if_failed(Stream *s, int r) {
    if (r < 0)
        stream_fail(s, r);
    else if (s->phase == PHASE_FRAMES && websocket_is_closed(s->websocket) && !s->out)
        stream_fail(s, 0);
    if (!s->failed)
        return false;

    if (s->phase != PHASE_TLS)
        (void)flush(s); /* the close frame, or the refusal, with the reason */
    poll_source_stop(s->source);
    s->callbacks.on_closed(s->error, s->userdata);
    return true;
}

/* Writes, and resumes reading that was suspended for it. */
static int flush_and_resume(Stream *s) {
    bool was_congested = s->congested;
    int r;

    r = flush(s);
    return r >= 0 && was_congested ? resume_reading(s) : r;
}

static void on_soon(void *userdata) {
    Stream *s = userdata;

    if (!end_if_failed(s, s->phase == PHASE_TLS ? 0 : flush_and_resume(s)))
        update_events(s);
}

static void on_io(int fd, uint32_t revents, void *userdata) {
    Stream *s = userdata;
    bool was_tls = s->phase == PHASE_TLS;
    int r = 0;

    if (s->phase == PHASE_TLS)
        r = shake_hands(s);
    /* only reading reveals a broken connection; without it poll() would report the condition for
     * ever */
    if (s->congested && !s->relieved && !(revents & (EPOLLERR | EPOLLHUP)))
        revents &= EPOLLOUT;
    if (r >= 0 && s->phase != PHASE_TLS && !s->failed && (revents & ~(uint32_t)EPOLLOUT))
        r = receive(s);
    if (r >= 0 && s->phase != PHASE_TLS && (revents & EPOLLOUT))
        r = flush_and_resume(s);
    if (end_if_failed(s, r))
        return;
    if (was_tls || (revents & EPOLLOUT))
        update_events(s);
    else if (has_output(s)) /* a pong, for instance, which no call queued */
        flush_soon(s);
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Stream *s = userdata;

    s->had_large_message |= size >= LARGE_MESSAGE_SIZE;
    if (!s->failed)
        s->callbacks.on_message(text, size, is_text, s->userdata);
}

static uint16_t on_excess(const char *data, size_t size, bool is_last, void *userdata) {
    Stream *s = userdata;

    return s->failed ? 0 : s->callbacks.on_excess(data, size, is_last, s->userdata);
}

int stream_new(Poller *poller, Transport *transport, bool client, const StreamCallbacks *callbacks,
               void *userdata, Stream **ret) {
    static const PollCallbacks poll_callbacks = {.on_io = on_io, .on_soon = on_soon};
    const WebSocketCallbacks frame_callbacks = {
        .on_message = on_message,
        .on_excess = callbacks->on_excess ? on_excess : NULL,
    };
    _cleanup_(stream_freep) Stream *s = calloc(1, sizeof(*s));

    if (!s) {
        transport_free(transport);
        return -ENOMEM;
    }
    s->transport = transport;
    s->callbacks = *callbacks;
    s->userdata = userdata;
    s->client = client;
    s->alive_usec = now_usec(CLOCK_BOOTTIME);
    TRY(websocket_new(client, &frame_callbacks, s, &s->websocket));
    websocket_set_message_max(s->websocket, HANDSHAKE_SIZE_MAX);
    /* the client sends the first bytes, the server waits for them */
    TRY(poll_source_new(poller, transport_get_fd(transport), client ? EPOLLOUT : EPOLLIN,
                        &poll_callbacks, s, &s->source));
    *ret = TAKE_PTR(s);
    return 0;
}

void stream_set_receive_budget(Stream *s, ReceiveBudget *budget) {
    websocket_set_receive_budget(s->websocket, budget);
}

void stream_trust(Stream *s) {
    websocket_set_message_max(s->websocket, MESSAGE_SIZE_MAX);
}

int stream_send_head(Stream *s, const char *head) {
    size_t size = strlen(head);

    if (s->out)
        return -EBUSY;
    if (size > CHUNK)
        return -EMSGSIZE;
    TRY(keep_out(s, head, size));
    flush_soon(s);
    return 0;
}

int stream_send_text(Stream *s, const char *text, size_t size) {
    int r;

    if (s->failed || s->phase != PHASE_FRAMES)
        return -ENOTCONN;
    r = websocket_send_text(s->websocket, text, size);
    if (r >= 0)
        flush_soon(s);
    return r;
}

int stream_send_ping(Stream *s) {
    int r;

    if (s->failed || s->phase != PHASE_FRAMES)
        return -ENOTCONN;
    s->relieved = s->congested && !s->progressed;
    s->progressed = false;
    r = websocket_send_ping(s->websocket);
    if (r >= 0)
        flush_soon(s);
    return r;
}

void stream_send_close(Stream *s, uint16_t code, const char *reason) {
    if (s->failed || s->phase != PHASE_FRAMES)
        return;
    if (websocket_send_close(s->websocket, code, reason) >= 0) {
        (void)flush(s);
        flush_soon(s);
    }
}
