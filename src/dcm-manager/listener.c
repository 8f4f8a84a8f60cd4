/* SPDX-License-Identifier: Apache-2.0 */
/* When descriptors or memory run out, the listener stops accepting for a second instead of
 * spinning. */
#include "dcm-manager/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/timer.h"
#include "basic/utf8.h"

#define ACCEPTS_PER_WAKEUP 64 /* then other event sources take their turn */
#define BACKLOG 4096

struct Listener {
    sd_event_source *source;
    sd_event_source *rest;
    int fd;
    ListenerCallback callback;
    void *userdata;
};

static int split_address(const char *address, char *host, size_t host_size, const char **ret_port) {
    const char *colon = strrchr(address, ':');
    size_t size = colon ? (size_t)(colon - address) : 0;

    if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    } else if (memchr(address, ':', size)) /* IPv6 without brackets */
        return -EINVAL;
    if (size >= host_size)
        return -EINVAL;
    memcpy(host, address, size);
    host[size] = 0;
    *ret_port = colon ? colon + 1 : address;
    return isempty(*ret_port) ? -EINVAL : 0;
}

int listener_bind_tcp(const char *address, int *ret_fd) {
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
    };
    _cleanup_(closep) int fd = -1;
    struct addrinfo *list = NULL;
    char host[64];
    const char *port;
    int r, one = 1;

    r = split_address(address, host, sizeof(host), &port);
    if (r < 0)
        return r;
    if (getaddrinfo(host[0] ? host : NULL, port, &hints, &list) != 0)
        return -EINVAL;
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, list->ai_addr, list->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        r = -errno;
    freeaddrinfo(list);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* A killed manager leaves a socket file that nobody listens on. */
static int remove_stale(const struct sockaddr_un *address) {
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) >= 0 || errno == EAGAIN)
        return -EADDRINUSE;
    if (errno != ECONNREFUSED)
        return errno == ENOENT ? 0 : -errno;
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

int listener_bind_unix(const char *path, int *ret_fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_(closep) int fd = -1;
    mode_t mask;
    int r;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    TRY(remove_stale(&address));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    mask = umask(0177);
    r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    (void)umask(mask);
    if (r >= 0 && listen(fd, BACKLOG) < 0)
        r = -errno;
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static void update(Listener *l) {
    (void)sd_event_source_set_enabled(l->source,
                                      timer_is_armed(l->rest) ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata) {
    Listener *l = userdata;

    timer_disarm(l->rest);
    update(l);
    return 0;
}

static void take_a_rest(Listener *l, int error) {
    (void)log_warning_errno(error, "Connections cannot be accepted now: %m");
    (void)timer_arm_in(l->rest, USEC_PER_SEC);
    update(l);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Listener *l = userdata;

    for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0)
            l->callback(accepted, l->userdata);
        else if (errno == EAGAIN)
            break;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            take_a_rest(l, errno);
            break;
        } /* otherwise the peer disconnected before accept(2) */
    }
    return 0;
}

int listener_new(sd_event *event, int fd, ListenerCallback callback, void *userdata,
                 Listener **ret) {
    _cleanup_(listener_freep) Listener *l = calloc(1, sizeof(*l));
    int r;

    if (!l) {
        safe_close(fd);
        return -ENOMEM;
    }
    l->fd = fd;
    l->callback = callback;
    l->userdata = userdata;
    r = fcntl(fd, F_SETFL, O_NONBLOCK); /* only systemd passes non-blocking ones */
    if (r < 0)
        return -errno;
    TRY(sd_event_add_io(event, &l->source, fd, EPOLLIN, on_connection, l));
    TRY(timer_new(event, 0, on_rested, l, &l->rest));
    *ret = TAKE_PTR(l);
    return 0;
}

Listener *listener_free(Listener *l) {
    if (!l)
        return NULL;
    sd_event_source_disable_unref(l->source);
    sd_event_source_disable_unref(l->rest);
    safe_close(l->fd);
    free(l);
    return NULL;
}

void socket_describe_address(const struct sockaddr_storage *address, char *buf, size_t buf_size) {
    socklen_t size = address->ss_family == AF_INET6  ? sizeof(struct sockaddr_in6)
                     : address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                     : sizeof(*address);
    char host[64], port[8];

    if (getnameinfo((const struct sockaddr *)address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        (void)snprintf(buf, buf_size, "unknown");
    else
        (void)utf8_format(buf, buf_size, address->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                          port);
}

void listener_describe(const Listener *l, char *buf, size_t buf_size) {
    struct sockaddr_storage address = {};
    socklen_t size = sizeof(address);

    (void)getsockname(l->fd, (struct sockaddr *)&address, &size);
    socket_describe_address(&address, buf, buf_size);
}

void socket_describe_peer(int fd, char *buf, size_t buf_size) {
    struct sockaddr_storage address = {};
    socklen_t size = sizeof(address);

    (void)getpeername(fd, (struct sockaddr *)&address, &size);
    socket_describe_address(&address, buf, buf_size);
}
