/* SPDX-License-Identifier: Apache-2.0 */
/* The peers that a TLS client trusts, and its own certificate. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

#define PIN_SIZE 32 /* SHA-256 of a SubjectPublicKeyInfo */

typedef struct TlsOptions {
    bool is_proxy;            /* selects the configuration keys in error texts */
    char *ca_cert;            /* a PEM file; NULL: the system's trust store */
    bool allow_unknown_certs; /* checks neither chain nor name */
    char *client_cert;        /* PEM files, or pkcs11: URIs (RFC 7512); may be NULL */
    char *client_key;         /* NULL: client_cert has the key too */
    uint8_t pins[PINS_MAX][PIN_SIZE];
    unsigned n_pins; /* 0: any key */
} TlsOptions;

/* Names of the configuration keys for authorities and URL. */
static inline const char *tls_options_ca_key(const TlsOptions *o) {
    return o->is_proxy ? "proxy_ca_cert" : "ca_cert";
}

static inline const char *tls_options_url_key(const TlsOptions *o) {
    return o->is_proxy ? "proxy" : "agentmanager_url";
}

void tls_options_done(TlsOptions *o);
/* Adds pins: base64, separated by blanks or commas. -EINVAL, also for an empty text; -E2BIG: more
 * than PINS_MAX. */
int tls_options_add_pins(TlsOptions *o, const char *text);
