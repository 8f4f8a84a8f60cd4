/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of TLS: one certificate, shared by sessions, and replaced without affecting
 * them. */
#pragma once

#include "net/transport.h"

/* Reference counted: sessions outlive a reload. */
typedef struct TlsServer TlsServer;

/* Reads certificate (chain) and key, PEM. On failure `error` gives reason and remedy. */
int tls_server_new(const char *cert, const char *key, TlsServer **ret, char *error,
                   size_t error_size);
TlsServer *tls_server_ref(TlsServer *t);
TlsServer *tls_server_unref(TlsServer *t);
DEFINE_CLEANUP(TlsServer *, tls_server_unref)

/* When the first certificate of the chain expires, CLOCK_REALTIME. */
uint64_t tls_server_expires_usec(const TlsServer *t) _pure_;
/* Whether that is in less than 30 days, and the least part of its life is left. */
bool tls_server_is_expiring(const TlsServer *t, uint64_t now_usec) _pure_;

/* Adds TLS to an accepted transport, which must be freed before the reference is dropped. */
int tls_server_start(TlsServer *t, Transport *transport);
