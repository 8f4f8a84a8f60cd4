/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of TLS: trust, a certificate of our own, resumption, and errors in words. What
 * is checked of the peer is in tls-verify.c. */
#pragma once

#include "net/tls-options.h"
#include "net/transport.h"

/* What is known of one peer over all connections to it. */
typedef struct TlsClient TlsClient;

/* The options must outlive it. */
int tls_client_new(const TlsOptions *options, const char *host, TlsClient **ret);
TlsClient *tls_client_free(TlsClient *c);
DEFINE_CLEANUP(TlsClient *, tls_client_free)

/* Puts TLS on a connected transport; the handshake is the caller's. Files are read anew each time.
 * On failure `error` says why. */
int tls_client_start(TlsClient *c, Transport *t, char *error, size_t error_size);

/* Why the handshake, or what came after it, failed, and what to do. */
void tls_client_explain(const TlsClient *c, Transport *t, char *error, size_t error_size);
/* What was negotiated, for people: version, cipher, whether it was resumed. */
void tls_client_describe(const TlsClient *c, Transport *t, char *text, size_t size);
/* When the peer's certificate ends, CLOCK_REALTIME; 0 where the peer did not send it. */
uint64_t tls_client_not_after_usec(Transport *t);

/* Keeps what a later connection needs to resume this one. A resumption does not check the
 * certificate again, so it is used within an hour of the check. */
void tls_client_remember(TlsClient *c, Transport *t);
