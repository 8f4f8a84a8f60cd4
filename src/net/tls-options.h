/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a TLS client trusts, and as whom it introduces itself. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

#define PIN_SIZE 32 /* SHA-256 of a SubjectPublicKeyInfo */

typedef struct TlsOptions {
    bool is_proxy;            /* which configuration keys the error texts name */
    char *ca_cert;            /* a PEM file; NULL: the system's trust store */
    bool allow_unknown_certs; /* checks neither chain nor name */
    char *client_cert;        /* PEM files, or pkcs11: URIs (RFC 7512); NULL: none */
    char *client_key;         /* NULL: in client_cert */
    uint8_t pins[PINS_MAX][PIN_SIZE];
    unsigned n_pins; /* 0: any key */
} TlsOptions;

/* The keys for the authorities and for the URL. */
static inline const char *tls_options_ca_key(const TlsOptions *o) {
    return o->is_proxy ? "proxy_ca_cert" : "ca_cert";
}

static inline const char *tls_options_url_key(const TlsOptions *o) {
    return o->is_proxy ? "proxy" : "agentmanager_url";
}

void tls_options_done(TlsOptions *o);
/* Adds pins: base64, with blanks or commas between them. -EINVAL, also if there are none; -E2BIG:
 * more than PINS_MAX. */
int tls_options_add_pins(TlsOptions *o, const char *text);
