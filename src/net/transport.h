/* SPDX-License-Identifier: Apache-2.0 */
/* A non-blocking stream socket, with or without TLS on it, or TLS inside of another transport's
 * TLS. Used by the agent and by dcm-manager. */
#pragma once

#include <gnutls/gnutls.h>
#include <netinet/in.h>

#include "basic/macro.h"

typedef struct Transport Transport;

/* Takes over the connected (or connecting) non-blocking socket. */
int transport_new(int fd, Transport **ret);
/* What is sent through `lower`, which has TLS, and is taken over: a tunnel to somebody behind it.
 */
int transport_new_inside(Transport *lower, Transport **ret);
/* Sends TLS's close_notify if that does not block, and closes the socket. */
Transport *transport_free(Transport *t);
DEFINE_CLEANUP(Transport *, transport_free)

int transport_get_fd(const Transport *t) _pure_;
/* Of the socket; "" if it has none. */
void transport_get_local_address(const Transport *t, char ret[static INET6_ADDRSTRLEN]);

/* Puts TLS on it. Takes over the session, and the credentials, which are freed when the handshake
 * is over (NULL: the caller keeps them). */
void transport_set_tls(Transport *t, gnutls_session_t session,
                       gnutls_certificate_credentials_t credentials);
/* 0: TLS is up; -EAGAIN: see transport_wants(); else it failed, see transport_tls_error(). */
int transport_handshake(Transport *t);
gnutls_session_t transport_get_session(const Transport *t) _pure_;
/* The GnuTLS code of the last failure. */
int transport_tls_error(const Transport *t) _pure_;

/* Bytes moved; 0 at the peer's end (read); -EAGAIN, or another negative errno. After -EAGAIN a
 * write is to be repeated with the same bytes. */
ssize_t transport_read(Transport *t, void *buf, size_t size);
ssize_t transport_write(Transport *t, const void *buf, size_t size);
/* Bytes were decrypted already, so that poll() will not tell of them. */
bool transport_has_pending(const Transport *t);
/* EPOLLIN or EPOLLOUT: what the TLS handshake waits for. */
uint32_t transport_wants(const Transport *t);
