/* SPDX-License-Identifier: Apache-2.0 */
/* A non-blocking stream socket, with or without TLS, or TLS inside the TLS of another transport.
 * For the agent and dcm-manager. */
#pragma once

#include <gnutls/gnutls.h>
#include <netinet/in.h>

#include "basic/macro.h"

typedef struct Transport Transport;

/* Takes ownership of the connected (or connecting) non-blocking socket. */
int transport_new(int fd, Transport **ret);
/* Makes a transport whose bytes travel through `lower`, which has TLS: a tunnel to a peer behind a
 * proxy. Takes ownership of `lower`. */
int transport_new_inside(Transport *lower, Transport **ret);
/* Sends TLS's close_notify if that does not block, and closes the socket. */
Transport *transport_free(Transport *t);
DEFINE_CLEANUP(Transport *, transport_free)

int transport_get_fd(const Transport *t) _pure_;
/* Of the socket; "" if it has no address. */
void transport_get_local_address(const Transport *t, char ret[static INET6_ADDRSTRLEN]);

/* Adds TLS. Takes ownership of the session, and of the credentials, which it frees after the
 * handshake (NULL: the caller keeps them). */
void transport_set_tls(Transport *t, gnutls_session_t session,
                       gnutls_certificate_credentials_t credentials);
/* 0: TLS is established; -EAGAIN: see transport_wants(); other errors: see
 * transport_tls_error(). */
int transport_handshake(Transport *t);
gnutls_session_t transport_get_session(const Transport *t) _pure_;
/* The GnuTLS code of the last failure. */
int transport_tls_error(const Transport *t) _pure_;

/* Return the number of bytes; 0 at the peer's end (read); -EAGAIN, or another negative errno. After
 * -EAGAIN the caller must repeat a write with the same bytes. */
ssize_t transport_read(Transport *t, void *buf, size_t size);
ssize_t transport_write(Transport *t, const void *buf, size_t size);
/* Whether decrypted bytes are buffered, which poll() does not report. */
bool transport_has_pending(const Transport *t);
/* Whether the socket has bytes, an end or an error that nobody has read yet. */
bool transport_has_unread(const Transport *t);
/* EPOLLIN or EPOLLOUT: the event that the TLS handshake waits for. */
uint32_t transport_wants(const Transport *t);
