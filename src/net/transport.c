/* SPDX-License-Identifier: Apache-2.0 */
#include "net/transport.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "basic/fd-util.h"
#include "net/address.h"

/* Room for the largest TLS record: GnuTLS reads a header of five bytes and then the rest, so many
 * small records would cost two calls each. */
#define PULL_SIZE ((size_t)17 * 1024)

struct Transport {
    int fd;
    Transport *lower;         /* or NULL */
    gnutls_session_t session; /* NULL: no TLS */
    char *pulled;             /* received, and not yet read by GnuTLS; NULL: nothing */
    size_t pulled_size, pulled_offset;
    bool drained; /* the last receive emptied the socket: wait for poll() before the next one */
    gnutls_certificate_credentials_t credentials;
    bool is_up;
    int tls_error;
    bool at_end;  /* the peer has closed the connection */
    int io_error; /* errno of the socket's last failure, which GnuTLS does not report */
};

int transport_new(int fd, Transport **ret) {
    Transport *t = calloc(1, sizeof(*t));

    if (!t) {
        safe_close(fd);
        return -ENOMEM;
    }
    t->fd = fd;
    *ret = t;
    return 0;
}

int transport_new_inside(Transport *lower, Transport **ret) {
    Transport *t;
    int r;

    r = transport_new(-1, &t);
    if (r < 0) {
        transport_free(lower);
        return r;
    }
    t->lower = lower;
    *ret = t;
    return 0;
}

/* A session points to its credentials; the trust store in them is large. */
static void drop_credentials(Transport *t) {
    if (!t->credentials)
        return;
    gnutls_credentials_clear(t->session);
    gnutls_certificate_free_credentials(t->credentials);
    t->credentials = NULL;
}

Transport *transport_free(Transport *t) {
    if (!t)
        return NULL;
    if (t->session) {
        if (t->is_up)
            (void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
        drop_credentials(t);
        gnutls_deinit(t->session);
    }
    free(t->pulled);
    transport_free(t->lower);
    safe_close(t->fd);
    free(t);
    return NULL;
}

int transport_get_fd(const Transport *t) {
    return t->lower ? transport_get_fd(t->lower) : t->fd;
}

void transport_get_local_address(const Transport *t, char ret[static INET6_ADDRSTRLEN]) {
    struct sockaddr_storage address = {};
    socklen_t size = sizeof(address);

    ret[0] = 0;
    if (getsockname(transport_get_fd(t), (struct sockaddr *)&address, &size) == 0)
        address_get_text((const struct sockaddr *)&address, ret);
}

/* As recv(2) and send(2), also for GnuTLS, which reads errno. */
static ssize_t raw_receive(Transport *t, void *buf, size_t size) {
    ssize_t n;

    if (t->lower) {
        n = transport_read(t->lower, buf, size);
        errno = n < 0 ? (int)-n : 0;
    } else
        n = recv(t->fd, buf, size, 0);
    t->at_end = n == 0;
    if (n >= 0)
        return n;
    t->io_error = errno;
    return -1;
}

static ssize_t raw_send(Transport *t, const void *buf, size_t size) {
    ssize_t n;

    if (t->lower) {
        n = transport_write(t->lower, buf, size);
        errno = n < 0 ? (int)-n : 0;
    } else
        n = send(t->fd, buf, size, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    t->io_error = errno;
    return -1;
}

/* A connection needs the buffer while it reads; most of the time it waits. One free buffer goes
 * from each to the next. */
static char *spare_buffer;

static char *take_buffer(void) {
    char *buffer = spare_buffer ?: malloc(PULL_SIZE);

    spare_buffer = NULL;
    return buffer;
}

static void give_buffer_back(Transport *t) {
    if (!t->pulled || t->pulled_offset < t->pulled_size)
        return;
    free(spare_buffer);
    spare_buffer = TAKE_PTR(t->pulled);
    t->pulled_size = t->pulled_offset = 0;
}

static ssize_t on_pull(gnutls_transport_ptr_t userdata, void *buf, size_t size) {
    Transport *t = userdata;
    ssize_t n;

    if (t->pulled_offset == t->pulled_size && t->drained) {
        t->drained = false;
        errno = EAGAIN;
        return -1;
    }
    if (!t->pulled)
        t->pulled = take_buffer();
    if (!t->pulled) {
        errno = t->io_error = ENOMEM;
        return -1;
    }
    if (t->pulled_offset == t->pulled_size) {
        n = raw_receive(t, t->pulled, PULL_SIZE);
        if (n <= 0)
            return n; /* GnuTLS reads errno */
        t->pulled_size = (size_t)n;
        t->pulled_offset = 0;
        t->drained = (size_t)n < PULL_SIZE && !(t->lower && transport_has_pending(t->lower));
    }
    size = MIN(size, t->pulled_size - t->pulled_offset);
    memcpy(buf, t->pulled + t->pulled_offset, size);
    t->pulled_offset += size;
    return (ssize_t)size;
}

static ssize_t on_push(gnutls_transport_ptr_t userdata, const void *buf, size_t size) {
    return raw_send(userdata, buf, size);
}

/* GnuTLS never has to wait: the socket does not block. */
static int on_pull_timeout(gnutls_transport_ptr_t userdata, unsigned msec) {
    return 1;
}

void transport_set_tls(Transport *t, gnutls_session_t session,
                       gnutls_certificate_credentials_t credentials) {
    t->session = session;
    t->credentials = credentials;
    gnutls_transport_set_ptr(session, t);
    gnutls_transport_set_push_function(session, on_push);
    gnutls_transport_set_pull_function(session, on_pull);
    gnutls_transport_set_pull_timeout_function(session, on_pull_timeout);
}

gnutls_session_t transport_get_session(const Transport *t) {
    return t->session;
}

int transport_tls_error(const Transport *t) {
    return t->tls_error;
}

static int map_tls_error(Transport *t, ssize_t error) {
    if (error == GNUTLS_E_AGAIN || error == GNUTLS_E_INTERRUPTED)
        return -EAGAIN;
    if (t->at_end && error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH) /* within a record */
        error = GNUTLS_E_PREMATURE_TERMINATION;
    t->tls_error = (int)error;
    if ((error == GNUTLS_E_PULL_ERROR || error == GNUTLS_E_PUSH_ERROR) && t->io_error > 0)
        return -t->io_error;
    return error == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -ECONNABORTED;
}

int transport_handshake(Transport *t) {
    int r;

    if (!t->session || t->is_up)
        return 0;
    do
        r = gnutls_handshake(t->session);
    while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
    give_buffer_back(t);
    if (r < 0)
        return map_tls_error(t, r);
    t->is_up = true;
    drop_credentials(t);
    return 0;
}

/* Whether there are bytes that GnuTLS has not read. */
static bool has_pulled(const Transport *t) {
    return t->pulled_offset < t->pulled_size || (t->lower && transport_has_pending(t->lower));
}

ssize_t transport_read(Transport *t, void *buf, size_t size) {
    ssize_t n;

    if (!t->session) {
        n = raw_receive(t, buf, size);
        return n < 0 ? -errno : n;
    }
    /* after a session ticket GnuTLS wants another call, even if the buffer has more bytes, which
     * poll() does not report */
    do
        n = gnutls_record_recv(t->session, buf, size);
    while (n < 0 && !gnutls_error_is_fatal((int)n) && (n != GNUTLS_E_AGAIN || has_pulled(t)));
    give_buffer_back(t);
    /* frames mark the end of messages, so TLS need not */
    if (n == GNUTLS_E_PREMATURE_TERMINATION ||
        (n == GNUTLS_E_UNEXPECTED_PACKET_LENGTH && t->at_end))
        return 0;
    return n < 0 ? map_tls_error(t, n) : n;
}

ssize_t transport_write(Transport *t, const void *buf, size_t size) {
    ssize_t n;

    if (!t->session) {
        n = raw_send(t, buf, size);
        return n < 0 ? -errno : n;
    }
    n = gnutls_record_send(t->session, buf, size);
    return n < 0 ? map_tls_error(t, n) : n;
}

bool transport_has_pending(const Transport *t) {
    return (t->is_up && gnutls_record_check_pending(t->session) > 0) || has_pulled(t);
}

bool transport_has_unread(const Transport *t) {
    char byte;

    return recv(transport_get_fd(t), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

uint32_t transport_wants(const Transport *t) {
    return t->session && gnutls_record_get_direction(t->session) == 1 ? EPOLLOUT : EPOLLIN;
}
