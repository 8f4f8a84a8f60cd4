/* SPDX-License-Identifier: Apache-2.0 */
/* What is checked of a TLS server's certificate (RFC 5280, RFC 9525), and the words for what is
 * wrong with it. */
#pragma once

#include <gnutls/gnutls.h>

#include "net/tls-options.h"

/* Checks the peer's chain, its name and purpose, and the pins. 0: good; else `error` says which
 * check failed for which certificate, and what to do. */
int tls_verify(gnutls_session_t session, const TlsOptions *options, const char *host, char *error,
               size_t error_size);
