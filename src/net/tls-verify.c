/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls-verify.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

#include "basic/utf8.h"

#define NAME_SIZE 128
#define CHAIN_MAX 16 /* GnuTLS verifies no longer chain */

typedef struct Chain {
    gnutls_x509_crt_t certs[CHAIN_MAX];
    unsigned n;
    char subject[CHAIN_MAX][NAME_SIZE];
    char issuer[NAME_SIZE]; /* of the last certificate */
} Chain;

typedef struct Context {
    const TlsOptions *options;
    const char *host;
    const Chain *chain;
    char *error;
    size_t size;
} Context;

static void chain_done(Chain *c) {
    for (unsigned i = 0; i < c->n; i++)
        gnutls_x509_crt_deinit(c->certs[i]);
}

/* The common name, or else the whole name; '?' replaces unprintable characters, which the peer
 * chose. */
static void copy_name(gnutls_x509_crt_t cert, bool of_issuer, char ret[static NAME_SIZE]) {
    size_t size = NAME_SIZE;
    int r;

    ret[0] = 0;
    r = of_issuer
            ? gnutls_x509_crt_get_issuer_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret,
                                                   &size)
            : gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret, &size);
    if (r < 0) {
        size = NAME_SIZE;
        r = of_issuer ? gnutls_x509_crt_get_issuer_dn(cert, ret, &size)
                      : gnutls_x509_crt_get_dn(cert, ret, &size);
    }
    if (r < 0)
        (void)snprintf(ret, NAME_SIZE, "without a name");
    for (char *p = ret; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

static void chain_read(Chain *c, gnutls_session_t session) {
    unsigned n = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &n);

    for (unsigned i = 0; peers && i < MIN(n, (unsigned)CHAIN_MAX); i++) {
        if (gnutls_x509_crt_init(&c->certs[c->n]) < 0)
            return;
        if (gnutls_x509_crt_import(c->certs[c->n], &peers[i], GNUTLS_X509_FMT_DER) < 0) {
            gnutls_x509_crt_deinit(c->certs[c->n]);
            return;
        }
        copy_name(c->certs[c->n], false, c->subject[c->n]);
        copy_name(c->certs[c->n], true, c->issuer);
        c->n++;
    }
}

static const char *format_time(time_t t, char buf[static 32]) {
    struct tm tm;

    if (t < 0 || !gmtime_r(&t, &tm) || strftime(buf, 32, "%F %H:%M UTC", &tm) == 0)
        return "?";
    return buf;
}

/* Names the certificate: the manager's own one, or an authority above it. */
static const char *whose(const Context *c, unsigned i, char buf[static NAME_SIZE + 64]) {
    if (i == 0)
        (void)utf8_format(buf, NAME_SIZE + 64, "the certificate of %s", c->host);
    else
        (void)utf8_format(buf, NAME_SIZE + 64, "the certificate of the authority '%s'",
                          c->chain->subject[i]);
    return buf;
}

static void explain_dates(const Context *c) {
    time_t now = time(NULL);
    char who[NAME_SIZE + 64], clock[32], date[32];

    (void)format_time(now, clock);
    for (unsigned i = 0; i < c->chain->n; i++) {
        time_t begin = gnutls_x509_crt_get_activation_time(c->chain->certs[i]);
        time_t end = gnutls_x509_crt_get_expiration_time(c->chain->certs[i]);

        if (now > end) {
            (void)utf8_format(c->error, c->size,
                              "%s has expired (%s; this machine's clock says %s); renew it, or set "
                              "the clock",
                              whose(c, i, who), format_time(end, date), clock);
            return;
        }
        if (now < begin) {
            (void)utf8_format(
                c->error, c->size,
                "%s is not valid yet (but from %s; this machine's clock says %s); check "
                "the clock",
                whose(c, i, who), format_time(begin, date), clock);
            return;
        }
    }
    (void)utf8_format(
        c->error, c->size,
        "the authority '%s' that is trusted here is outside of its dates, this machine's "
        "clock says %s; renew %s, or set the clock",
        c->chain->issuer, clock, c->options->ca_cert ?: "the system's trust store");
}

/* A name or an address in the certificate, for people; -ENODATA: no more. */
static int get_alternative(gnutls_x509_crt_t cert, unsigned i, char ret[static NAME_SIZE]) {
    size_t size = NAME_SIZE - 1;
    uint8_t address[16];
    unsigned type;
    int r;

    r = gnutls_x509_crt_get_subject_alt_name2(cert, i, ret, &size, &type, NULL);
    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return -ENODATA;
    if (r < 0)
        size = 0;
    if (r >= 0 && type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16)) {
        memcpy(address, ret, size);
        (void)inet_ntop(size == 4 ? AF_INET : AF_INET6, address, ret, NAME_SIZE);
        return 0;
    }
    ret[type == GNUTLS_SAN_DNSNAME ? size : 0] = 0;
    return 0;
}

static void explain_owner(const Context *c) {
    char names[160] = "", name[NAME_SIZE];
    size_t used = 0;

    for (unsigned i = 0; c->chain->n > 0 && i < 8; i++) {
        if (get_alternative(c->chain->certs[0], i, name) < 0)
            break;
        if (name[0] && used + strlen(name) + 3 < sizeof(names))
            used += (size_t)utf8_format(names + used, sizeof(names) - used, "%s%s",
                                        used > 0 ? ", " : "", name);
    }
    for (char *p = names; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    (void)utf8_format(
        c->error, c->size, "the certificate of %s is for another host name%s%s%s; check %s",
        c->host, names[0] ? " (" : "", names, names[0] ? ")" : "", tls_options_url_key(c->options));
}

static void explain_signer(const Context *c) {
    const Chain *chain = c->chain;

    if (chain->n == 1 && streq(chain->subject[0], chain->issuer))
        (void)utf8_format(c->error, c->size,
                          "the certificate of %s is signed by itself and not trusted here; set %s",
                          c->host, tls_options_ca_key(c->options));
    else
        (void)utf8_format(
            c->error, c->size,
            "the certificate of %s is signed by an authority that is not trusted here; "
            "set %s, or have the server send its whole chain (the last one it sent was "
            "signed by '%s')",
            c->host, tls_options_ca_key(c->options), chain->issuer);
}

static void explain(const Context *c, unsigned status) {
    static const struct {
        unsigned flag;
        const char *text;
    } reasons[] = {
        {GNUTLS_CERT_REVOKED, "is revoked; the manager needs a new one"},
        {GNUTLS_CERT_SIGNATURE_FAILURE,
         "has a signature that is wrong: it is damaged, or not the authority's; the manager needs "
         "a new one"},
        {GNUTLS_CERT_INSECURE_ALGORITHM,
         "uses an algorithm or a key that is too weak; the manager needs a new one"},
        {GNUTLS_CERT_SIGNER_NOT_CA, "is signed by a certificate that is not an authority"},
        {GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE,
         "is outside of what its authority may sign: its names or the length of the chain"},
        {GNUTLS_CERT_PURPOSE_MISMATCH, "is not meant for a TLS server"},
        {GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, "has a critical extension that is not known here"},
        {GNUTLS_CERT_MISSING_OCSP_STATUS, "must come with a revocation status, and did not"},
        {GNUTLS_CERT_INVALID_OCSP_STATUS, "came with a revocation status that is not valid"},
    };

    if (status & GNUTLS_CERT_SIGNER_NOT_FOUND) {
        explain_signer(c);
        return;
    }
    if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) {
        explain_dates(c);
        return;
    }
    for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
        if (status & reasons[i].flag) {
            (void)utf8_format(c->error, c->size, "the certificate of %s %s", c->host,
                              reasons[i].text);
            return;
        }
    if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
        explain_owner(c);
    else
        (void)utf8_format(c->error, c->size,
                          "the certificate of %s cannot be verified (status 0x%x)", c->host,
                          status);
}

static int key_pin(gnutls_x509_crt_t cert, uint8_t ret[static PIN_SIZE]) {
    gnutls_pubkey_t key = NULL;
    gnutls_datum_t der = {};
    int r;

    TRY(gnutls_pubkey_init(&key));
    r = gnutls_pubkey_import_x509(key, cert, 0);
    if (r >= 0)
        r = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der);
    if (r >= 0)
        r = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, ret);
    gnutls_free(der.data);
    gnutls_pubkey_deinit(key);
    return r;
}

static int verify_pin(const Context *c) {
    uint8_t pin[PIN_SIZE];
    gnutls_datum_t in = {pin, sizeof(pin)}, out = {};

    if (c->options->n_pins == 0)
        return 0;
    if (c->chain->n == 0 || key_pin(c->chain->certs[0], pin) < 0) {
        (void)utf8_format(c->error, c->size, "the key of %s cannot be read", c->host);
        return -EKEYREJECTED;
    }
    for (unsigned i = 0; i < c->options->n_pins; i++)
        if (memcmp(pin, c->options->pins[i], sizeof(pin)) == 0)
            return 0;
    (void)gnutls_base64_encode2(&in, &out);
    (void)utf8_format(
        c->error, c->size,
        "the key of %s is not a pinned one; if the manager's key was changed on purpose, "
        "set pin = %.*s",
        c->host, (int)out.size, out.data ? (const char *)out.data : "");
    gnutls_free(out.data);
    return -EKEYREJECTED;
}

int tls_verify(gnutls_session_t session, const TlsOptions *options, const char *host, char *error,
               size_t error_size) {
    gnutls_typed_vdata_st data[] = {
        {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)host},
        {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER},
    };
    _cleanup_(chain_done) Chain chain = {};
    const Context c = {options, host, &chain, error, error_size};
    unsigned status = 0;
    int r;

    chain_read(&chain, session);
    if (!options->allow_unknown_certs) {
        r = gnutls_certificate_verify_peers(session, data, ELEMENTSOF(data), &status);
        if (r < 0) {
            (void)utf8_format(error, error_size, "the certificate of %s cannot be checked: %s",
                              host, gnutls_strerror(r));
            return -EKEYREJECTED;
        }
        if (status != 0) {
            explain(&c, status);
            return -EKEYREJECTED;
        }
    }
    return verify_pin(&c);
}
