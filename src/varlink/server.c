/* SPDX-License-Identifier: Apache-2.0 */
/*
 *    reading ──(a whole call)──▶ answering ──(varlink_answer, _fail)──▶ writing ──▶ reading
 *       └──────── too long, too slow, no call, the peer is gone: the connection ends ───┘
 *
 * One call of a connection at a time. A connection without progress for IDLE_USEC ends, unless the
 * server owes an answer. One user has at most a part of all connections, so that others always get
 * in. When descriptors or memory run out, the server stops accepting for a second. */
#include "varlink/server.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/timer.h"

#ifndef SO_PEERPIDFD /* Linux 6.5 */
#define SO_PEERPIDFD 77
#endif
#define READ_SIZE ((size_t)4096)
#define IDLE_USEC (30 * USEC_PER_SEC)
#define REST_USEC USEC_PER_SEC

struct VarlinkConnection {
    VarlinkServer *server;
    int fd;
    struct ucred peer;
    int peer_fd;
    sd_event_source *io, *idle;
    char *in, *out;
    size_t in_size, out_size, out_sent;
    bool answering;
    void *data;
    LIST_ENTRY(VarlinkConnection) entries;
};

struct VarlinkServer {
    sd_event *event;
    int fd;
    sd_event_source *io, *rest;
    VarlinkCallbacks callbacks;
    void *userdata;
    unsigned n_connections;
    LIST_HEAD(, VarlinkConnection) connections;
};

pid_t varlink_connection_get_peer(const VarlinkConnection *c, int *ret_pid_fd) {
    *ret_pid_fd = c->peer_fd;
    return c->peer.pid;
}

void *varlink_connection_get_data(const VarlinkConnection *c) {
    return c->data;
}

void varlink_connection_set_data(VarlinkConnection *c, void *data) {
    c->data = data;
}

static void end(VarlinkConnection *c) {
    VarlinkServer *s = c->server;

    s->callbacks.on_gone(c, s->userdata);
    LIST_REMOVE(c, entries);
    s->n_connections--;
    (void)sd_event_source_set_enabled(s->io, SD_EVENT_ON);
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->idle);
    safe_close(c->fd);
    safe_close(c->peer_fd);
    free(c->in);
    free(c->out);
    free(c);
}

/* While an answer is owed, waits only for the end of the connection, which epoll always reports. A
 * peer that has shut down its sending side still reads. */
static void wait_for(VarlinkConnection *c) {
    uint32_t events = c->out ? EPOLLOUT : c->answering ? 0 : EPOLLIN;

    (void)sd_event_source_set_io_events(c->io, events);
    (void)timer_arm_in(c->idle, c->answering ? UINT64_MAX : IDLE_USEC);
}

static void queue_answer(VarlinkConnection *c, int r, char *text, size_t size) {
    c->answering = false;
    if (r < 0)
        log_debug_errno(r, "An answer on the Varlink socket is lost: %m");
    if (r >= 0) {
        c->out = text;
        c->out_size = size;
        c->out_sent = 0;
    }
    wait_for(c);
    if (r < 0) /* not from within a call */
        (void)timer_arm_in(c->idle, 0);
}

void varlink_answer(VarlinkConnection *c, struct json_object *parameters) {
    char *text = NULL;
    size_t size = 0;
    int r;

    r = varlink_reply_encode(parameters, &text, &size);
    queue_answer(c, r, text, size);
}

void varlink_fail(VarlinkConnection *c, const char *error, struct json_object *parameters) {
    char *text = NULL;
    size_t size = 0;
    int r;

    r = varlink_error_encode(error, parameters, &text, &size);
    queue_answer(c, r, text, size);
}

/* -EBADMSG: not Varlink. */
static int take_call(VarlinkConnection *c, size_t size) {
    _cleanup_(varlink_call_done) VarlinkCall call = {};
    int r;

    r = varlink_call_parse(c->in, size, &call);
    c->in_size -= size + 1;
    memmove(c->in, c->in + size + 1, c->in_size);
    if (r < 0 || call.oneway)
        return r;
    c->answering = true;
    wait_for(c);
    c->server->callbacks.on_call(c, &call, c->server->userdata);
    return 0;
}

static int take_calls(VarlinkConnection *c) {
    int r = 0;

    while (r >= 0 && !c->answering && !c->out) {
        const char *nul = c->in ? memchr(c->in, 0, c->in_size) : NULL;

        if (!nul)
            return c->in_size >= VARLINK_MESSAGE_MAX ? -EMSGSIZE : 0;
        r = take_call(c, (size_t)(nul - c->in));
    }
    return r;
}

static int receive(VarlinkConnection *c) {
    size_t room = MIN(READ_SIZE, VARLINK_MESSAGE_MAX - c->in_size);
    ssize_t n;
    char *in;

    in = realloc(c->in, c->in_size + room);
    if (!in)
        return -ENOMEM;
    c->in = in;
    n = recv(c->fd, c->in + c->in_size, room, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    c->in_size += (size_t)n;
    return take_calls(c);
}

static int transmit(VarlinkConnection *c) {
    ssize_t n =
        send(c->fd, c->out + c->out_sent, c->out_size - c->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    c->out_sent += (size_t)n;
    if (c->out_sent < c->out_size)
        return 0;
    free(TAKE_PTR(c->out));
    wait_for(c);
    return take_calls(c);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    VarlinkConnection *c = userdata;
    int r = 0;

    if (c->out)
        r = events & (EPOLLERR | EPOLLHUP) ? -ECONNRESET : transmit(c);
    else if (c->answering)
        r = -ECONNRESET; /* without the waiting peer its unit is uncertain */
    else
        r = receive(c);
    if (r < 0)
        end(c);
    return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata) {
    end(userdata);
    return 0;
}

static unsigned count_of(const VarlinkServer *s, uid_t uid) {
    const VarlinkConnection *c;
    unsigned n = 0;

    LIST_FOREACH(c, &s->connections, entries)
    n += c->peer.uid == uid;
    return n;
}

/* Opens the process at once, before its number can be reused. */
static int open_peer(int fd, pid_t pid) {
    socklen_t size = sizeof(int);
    int peer_fd;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &peer_fd, &size) >= 0)
        return peer_fd;
    if (errno != ENOPROTOOPT)
        return errno == EINVAL ? -ESRCH : -errno;
    peer_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return peer_fd < 0 ? -errno : peer_fd;
}

static int watch(VarlinkConnection *c) {
    VarlinkServer *s = c->server;

    TRY(sd_event_add_io(s->event, &c->io, c->fd, EPOLLIN, on_io, c));
    return sd_event_add_time_relative(s->event, &c->idle, CLOCK_BOOTTIME, IDLE_USEC, USEC_PER_SEC,
                                      on_idle, c);
}

static bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static int add(VarlinkServer *s, int fd) {
    socklen_t size = sizeof(struct ucred);
    VarlinkConnection *c;
    struct ucred peer;
    int r;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    if (count_of(s, peer.uid) >= VARLINK_CONNECTIONS_OF_USER_MAX)
        return -EUSERS;
    c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    *c = (VarlinkConnection){.server = s, .fd = fd, .peer = peer};
    c->peer_fd = open_peer(fd, peer.pid);
    r = is_shortage(-c->peer_fd) ? c->peer_fd : watch(c);
    if (r < 0) {
        sd_event_source_disable_unref(c->io);
        safe_close(c->peer_fd);
        free(c);
        return r;
    }
    LIST_INSERT_HEAD(&s->connections, c, entries);
    if (++s->n_connections >= VARLINK_CONNECTIONS_MAX) /* further ones wait in the backlog */
        (void)sd_event_source_set_enabled(s->io, SD_EVENT_OFF);
    return 0;
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata) {
    VarlinkServer *s = userdata;

    if (s->n_connections < VARLINK_CONNECTIONS_MAX)
        (void)sd_event_source_set_enabled(s->io, SD_EVENT_ON);
    return 0;
}

/* The connection stays in the backlog, and would wake the loop up again at once. Ends the pause
 * early when another connection closes, because that frees a descriptor. */
static void take_a_rest(VarlinkServer *s, int error) {
    (void)log_warning_errno(error, "Connections on the Varlink socket cannot be accepted now: %m");
    (void)sd_event_source_set_enabled(s->io, SD_EVENT_OFF);
    (void)timer_arm_in(s->rest, REST_USEC);
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t events, void *userdata) {
    _cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int r;

    r = fd < 0 ? -errno : add(userdata, fd);
    if (r >= 0)
        (void)TAKE_FD(fd);
    else if (is_shortage(-r))
        take_a_rest(userdata, -r);
    else if (fd >= 0)
        log_debug_errno(r, "A connection on the Varlink socket is refused: %m");
    return 0;
}

int varlink_server_new(sd_event *event, int listen_fd, const VarlinkCallbacks *callbacks,
                       void *userdata, VarlinkServer **ret) {
    VarlinkServer *s = calloc(1, sizeof(*s));
    int r;

    if (!s) {
        safe_close(listen_fd);
        return -ENOMEM;
    }
    s->event = event;
    s->fd = listen_fd;
    s->callbacks = *callbacks;
    s->userdata = userdata;
    LIST_INIT(&s->connections);
    r = sd_event_add_io(event, &s->io, listen_fd, EPOLLIN, on_connect, s);
    if (r >= 0)
        r = timer_new(event, USEC_PER_SEC, on_rested, s, &s->rest);
    if (r < 0) {
        varlink_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

VarlinkServer *varlink_server_free(VarlinkServer *s) {
    if (!s)
        return NULL;
    while (!LIST_EMPTY(&s->connections))
        end(LIST_FIRST(&s->connections));
    sd_event_source_disable_unref(s->io);
    sd_event_source_disable_unref(s->rest);
    safe_close(s->fd);
    free(s);
    return NULL;
}
