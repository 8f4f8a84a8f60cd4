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
#include "basic/utf8.h"
#include "dcm-manager/limits.h"

#define CHUNK ((size_t)64 * 1024)

typedef struct Buffer {
    char *data;
    size_t size, allocated;
} Buffer;

struct ControlClient {
    int fd;
    sd_event_source *source;
    ControlClientCallbacks callbacks;
    void *userdata;
    Buffer in, out;
    size_t out_offset;
    ControlWait wait;
    char *key;
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
        c->source, EPOLLIN | (c->out.size > c->out_offset || c->failed ? EPOLLOUT : 0u));
}

static void send_line(ControlClient *c, struct json_object *o) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = json_encode(o, &text, &size);
    if (r >= 0) {
        text[size] = '\n';
        r = buffer_append(&c->out, text, size + 1, CONTROL_OUTPUT_MAX);
    }
    if (r < 0)
        c->failed = true;
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

static void take_lines(ControlClient *c, size_t from) {
    size_t begin = 0;
    char *end;

    while ((end = memchr(c->in.data + from, '\n', c->in.size - from))) {
        take_line(c, c->in.data + begin, (size_t)(end - c->in.data) - begin);
        begin = from = (size_t)(end - c->in.data) + 1;
    }
    if (begin > 0) {
        memmove(c->in.data, c->in.data + begin, c->in.size - begin);
        c->in.size -= begin;
    }
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

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    ControlClient *c = userdata;
    int r = 1;

    if (revents & ~(uint32_t)EPOLLOUT)
        r = receive(c);
    if (flush(c) < 0 || r <= 0 || c->failed)
        c->callbacks.on_gone(c, c->userdata);
    else
        update_events(c);
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
    TRY(check_peer(fd));
    TRY(sd_event_add_io(event, &c->source, fd, EPOLLIN, on_io, c));
    *ret = TAKE_PTR(c);
    return 0;
}

ControlClient *control_client_free(ControlClient *c) {
    if (!c)
        return NULL;
    sd_event_source_disable_unref(c->source);
    safe_close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c->key);
    free(c);
    return NULL;
}
