/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a TLS server's certificate (RFC 5280, RFC 9525), and explains failures. */
#pragma once

#include <gnutls/gnutls.h>

#include "net/tls-options.h"

/* Checks the peer's chain, its name and purpose, and the pins. 0: good; otherwise `error` says
 * which check failed for which certificate, and the remedy. */
int tls_verify(gnutls_session_t session, const TlsOptions *options, const char *host, char *error,
               size_t error_size);
