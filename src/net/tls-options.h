/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a TLS client trusts, and as whom it introduces itself. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

#define PIN_SIZE 32 /* SHA-256 of a SubjectPublicKeyInfo */

typedef struct TlsOptions {
    char *ca_cert;            /* a PEM file; NULL: the system's trust store */
    bool allow_unknown_certs; /* checks neither chain nor name */
    char *client_cert;        /* PEM files, or pkcs11: URIs (RFC 7512); NULL: none */
    char *client_key;         /* NULL: in client_cert */
    uint8_t pins[PINS_MAX][PIN_SIZE];
    unsigned n_pins; /* 0: any key */
} TlsOptions;

void tls_options_done(TlsOptions *o);
/* Adds pins: base64, with blanks or commas between them. -EINVAL; -E2BIG: more than PINS_MAX. */
int tls_options_add_pins(TlsOptions *o, const char *text);
