/* SPDX-License-Identifier: Apache-2.0 */
/* Answers may be given at any time, even from callbacks of other sources: they only fill a buffer,
 * and the handler of the socket writes it and detects the end. */
#include "dcm-manager/control-client.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-manager/limits.h"

#define CHUNK ((size_t)64 * 1024)

typedef struct Buffer {
    char *data;
    size_t size, allocated;
} Buffer;

/* Without text: it is still to be given. */
struct ControlAnswer {
    ControlAnswer *next;
    ControlClient *client;
    char *text;
    size_t size;
};

struct ControlClient {
    int fd;
    sd_event_source *source, *more;
    ControlClientCallbacks callbacks;
    void *userdata;
    Buffer in, out;
    size_t out_offset;
    ControlWait wait;
    char *key;
    ControlAnswer *first, **end; /* behind the first one that is still to be given */
    ControlAnswer *current;      /* which the next reply gives */
    bool has_more;               /* whole lines wait in `in` */
    bool failed;
};

static int buffer_append(Buffer *b, const void *data, size_t size, size_t max) {
    int r = array_reserve(&b->data, &b->allocated, b->size + size, max);

    if (r < 0)
        return r;
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

static void update_events(ControlClient *c) {
    (void)sd_event_source_set_io_events(
        c->source,
        (c->has_more ? 0u : EPOLLIN) | (c->out.size > c->out_offset || c->failed ? EPOLLOUT : 0u));
}

ControlAnswer *control_client_reserve(ControlClient *c) {
    ControlAnswer *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->client = c;
    *c->end = a;
    c->end = &a->next;
    return a;
}

ControlClient *control_answer_begin(ControlAnswer *a) {
    ControlClient *c = a->client;

    if (c)
        c->current = a;
    else
        free(a);
    return c;
}

/* What is given, up to the first answer that is not. */
static int write_answers(ControlClient *c) {
    ControlAnswer *a;
    int r = 0;

    while ((a = c->first) && a->text) {
        if (r >= 0)
            r = buffer_append(&c->out, a->text, a->size, CONTROL_OUTPUT_MAX);
        c->first = a->next;
        free(a->text);
        free(a);
    }
    if (!c->first)
        c->end = &c->first;
    return r;
}

/* Takes ownership of the text. */
static int answer(ControlClient *c, char *text, size_t size) {
    ControlAnswer *a = TAKE_PTR(c->current) ?: control_client_reserve(c);

    if (!a) {
        free(text);
        return -ENOMEM;
    }
    a->text = text;
    a->size = size;
    return write_answers(c);
}

static void send_line(ControlClient *c, struct json_object *o) {
    char *text = NULL;
    size_t size = 0;

    if (json_encode(o, &text, &size) < 0)
        c->failed = true;
    else {
        text[size] = '\n';
        if (answer(c, text, size + 1) < 0)
            c->failed = true;
    }
    update_events(c);
}

void control_client_reply(ControlClient *c, struct json_object *result) {
    _cleanup_json_ struct json_object *o = result ?: json_object_new_object();

    if (!o || json_add_bool(o, "ok", true) < 0)
        c->failed = true;
    else
        send_line(c, o);
}

void control_client_fail(ControlClient *c, const char *error, const char *format, ...) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    char text[1024];
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(text, sizeof(text), format, ap);
    va_end(ap);
    if (!o || json_add_bool(o, "ok", false) < 0 || json_add_string(o, "error", error) < 0 ||
        json_add_string(o, "message", text) < 0)
        c->failed = true;
    else
        send_line(c, o);
}

int control_client_wait(ControlClient *c, ControlWait wait, const char *key) {
    int r = free_and_strdup(&c->key, key);

    if (r >= 0)
        c->wait = wait;
    return r;
}

bool control_client_waits(const ControlClient *c, ControlWait wait, const char *key) {
    return c->wait == wait && (!c->key || streq_ptr(c->key, key));
}

static void take_line(ControlClient *c, const char *line, size_t size) {
    _cleanup_json_ struct json_object *o = NULL;

    if (json_parse_part(line, size, &o) < 0 || !json_object_is_type(o, json_type_object))
        control_client_fail(c, "invalid", "not a JSON object");
    else
        c->callbacks.on_line(c, o, c->userdata);
}

/* A few of them; then other event sources take their turn. */
static void take_lines(ControlClient *c, size_t from) {
    uint64_t until = now_usec(CLOCK_MONOTONIC) + CONTROL_TURN_USEC;
    size_t begin = 0;
    unsigned n = 0;
    char *end;

    while ((end = memchr(c->in.data + from, '\n', c->in.size - from))) {
        if (n++ == CONTROL_LINES_AT_ONCE || now_usec(CLOCK_MONOTONIC) >= until)
            break;
        take_line(c, c->in.data + begin, (size_t)(end - c->in.data) - begin);
        begin = from = (size_t)(end - c->in.data) + 1;
    }
    c->has_more = end;
    if (begin > 0) {
        memmove(c->in.data, c->in.data + begin, c->in.size - begin);
        c->in.size -= begin;
    }
    if (c->has_more)
        (void)sd_event_source_set_enabled(c->more, SD_EVENT_ONESHOT);
}

/* 0: the peer has closed the connection */
static int receive(ControlClient *c) {
    char buf[CHUNK];
    size_t before = c->in.size;
    ssize_t n;

    n = recv(c->fd, buf, sizeof(buf), 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -errno;
    if (n == 0)
        return 0;
    TRY(buffer_append(&c->in, buf, (size_t)n, CONTROL_LINE_MAX));
    take_lines(c, before);
    return 1;
}

static int flush(ControlClient *c) {
    while (c->out.size > c->out_offset) {
        ssize_t n =
            send(c->fd, c->out.data + c->out_offset, c->out.size - c->out_offset, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        c->out_offset += (size_t)n;
    }
    c->out.size = c->out_offset = 0;
    return 0;
}

static void end_or_go_on(ControlClient *c, int r) {
    if (flush(c) < 0 || r <= 0 || c->failed)
        c->callbacks.on_gone(c, c->userdata);
    else
        update_events(c);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    ControlClient *c = userdata;
    int r = 1;

    if (c->has_more && revents & (EPOLLERR | EPOLLHUP)) /* nobody reads the answers */
        r = 0;
    else if (!c->has_more && revents & ~(uint32_t)EPOLLOUT)
        r = receive(c);
    end_or_go_on(c, r);
    return 0;
}

static int on_more(sd_event_source *source, void *userdata) {
    ControlClient *c = userdata;

    take_lines(c, 0);
    end_or_go_on(c, 1);
    return 0;
}

static int check_peer(int fd) {
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

int control_client_new(sd_event *event, int fd, const ControlClientCallbacks *callbacks,
                       void *userdata, ControlClient **ret) {
    _cleanup_(control_client_freep) ControlClient *c = calloc(1, sizeof(*c));

    if (!c) {
        safe_close(fd);
        return -ENOMEM;
    }
    c->fd = fd;
    c->callbacks = *callbacks;
    c->userdata = userdata;
    c->end = &c->first;
    TRY(check_peer(fd));
    TRY(sd_event_add_io(event, &c->source, fd, EPOLLIN, on_io, c));
    TRY(sd_event_add_defer(event, &c->more, on_more, c));
    TRY(sd_event_source_set_enabled(c->more, SD_EVENT_OFF));
    *ret = TAKE_PTR(c);
    return 0;
}

/* Those that are still to be given belong to whoever gives them. */
static void forget_answers(ControlClient *c) {
    for (ControlAnswer *a = c->first, *next; a; a = next) {
        next = a->next;
        a->client = NULL;
        if (a->text) {
            free(a->text);
            free(a);
        }
    }
}

ControlClient *control_client_free(ControlClient *c) {
    if (!c)
        return NULL;
    sd_event_source_disable_unref(c->source);
    sd_event_source_disable_unref(c->more);
    forget_answers(c);
    safe_close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c->key);
    free(c);
    return NULL;
}
