/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of TLS: trust, verification of chain and host name, and errors in words. */
#pragma once

#include "net/transport.h"

typedef struct TlsOptions {
    char *ca_cert;            /* a PEM file; NULL: the system's trust store */
    bool allow_unknown_certs; /* checks neither chain nor name */
} TlsOptions;

/* Puts TLS on a connected transport; the handshake is the caller's. On failure `error` says why. */
int tls_client_start(Transport *t, const TlsOptions *options, const char *host, char *error,
                     size_t error_size);

/* Why the handshake failed, and what to do. */
void tls_client_explain(Transport *t, const char *host, char *error, size_t error_size);
