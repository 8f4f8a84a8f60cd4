/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of TLS: trust, client certificate, resumption, and error texts. tls-verify.c
 * checks the peer's certificate. */
#pragma once

#include "net/tls-options.h"
#include "net/transport.h"

/* State about one peer that outlives its connections. */
typedef struct TlsClient TlsClient;

/* The options must outlive the client. */
int tls_client_new(const TlsOptions *options, const char *host, TlsClient **ret);
TlsClient *tls_client_free(TlsClient *c);
DEFINE_CLEANUP(TlsClient *, tls_client_free)

/* Whether authorities and own certificate can be used as they are now. -EINVAL or -ENOENT, with the
 * reason and the remedy in `error`. */
int tls_client_check_files(const TlsOptions *options, char *error, size_t error_size);

/* Adds TLS to a connected transport; the caller performs the handshake. Reads all files again each
 * time. On failure `error` gives the reason. */
int tls_client_start(TlsClient *c, Transport *t, char *error, size_t error_size);

/* Explains why the handshake, or the connection after it, failed, with a remedy. */
void tls_client_explain(const TlsClient *c, Transport *t, char *error, size_t error_size);
/* Describes the result for people: version, cipher, whether the session was resumed. */
void tls_client_describe(const TlsClient *c, Transport *t, char *text, size_t size);
/* Expiry of the peer's certificate, CLOCK_REALTIME; 0 if the peer sent none. */
uint64_t tls_client_not_after_usec(Transport *t);

/* Keeps the session data with which a later connection can resume. A resumption does not check the
 * certificate again, so the data expire an hour after the check. */
void tls_client_remember(TlsClient *c, Transport *t);
