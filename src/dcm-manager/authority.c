/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/authority.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <time.h>

#include "basic/time-util.h"

#define DAY ((time_t)24 * 3600)
#define AUTHORITY_DAYS 3650
#define CERTIFICATE_DAYS 825
#define CLOCKS_DIFFER_SEC 3600 /* an agent's clock may be so much behind */
#define SERIAL_SIZE 16u
#define KEY_ID_SIZE 64u
#define COMMON_NAME_MAX 64u /* RFC 5280, ub-common-name */

static void freep_crt(gnutls_x509_crt_t *c) {
    if (*c)
        gnutls_x509_crt_deinit(*c);
}

static void freep_key(gnutls_x509_privkey_t *k) {
    if (*k)
        gnutls_x509_privkey_deinit(*k);
}

static void free_datum(gnutls_datum_t *d) {
    if (d->data) {
        gnutls_memset(d->data, 0, d->size);
        gnutls_free(d->data);
    }
}

static int to_errno(int r) {
    return r >= 0 ? 0 : r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EBADMSG;
}

static bool label_is_valid(const char *label, size_t size) {
    if (size == 0 || size > 63 || label[0] == '-' || label[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isascii((unsigned char)label[i]) ||
            !(isalnum((unsigned char)label[i]) || label[i] == '-' || label[i] == '_'))
            return false;
    return true;
}

static size_t parse_address(const char *name, uint8_t ret[static 16]) {
    return inet_pton(AF_INET, name, ret) == 1 ? 4 : inet_pton(AF_INET6, name, ret) == 1 ? 16 : 0;
}

bool host_name_is_valid(const char *name) {
    uint8_t address[16];

    if (strlen(name) > HOST_NAME_SIZE_MAX)
        return false;
    if (parse_address(name, address) > 0)
        return true;
    if (strspn(name, "0123456789.") == strlen(name)) /* no address, and no name either */
        return false;
    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    for (;;) {
        size_t size = strcspn(name, ".");

        if (!label_is_valid(name, size))
            return false;
        if (!name[size])
            return true;
        name += size + 1;
    }
}

static int read_key(const char *text, gnutls_x509_privkey_t *ret) {
    const gnutls_datum_t datum = {(unsigned char *)text, (unsigned)strlen(text)};
    int r;

    r = gnutls_x509_privkey_init(ret);
    if (r >= 0)
        r = gnutls_x509_privkey_import2(*ret, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    return to_errno(r);
}

static int read_certificate(const char *text, gnutls_x509_crt_t *ret) {
    const gnutls_datum_t datum = {(unsigned char *)text, (unsigned)strlen(text)};
    int r;

    r = gnutls_x509_crt_init(ret);
    if (r >= 0)
        r = gnutls_x509_crt_import(*ret, &datum, GNUTLS_X509_FMT_PEM);
    return to_errno(r);
}

/* Texts of GnuTLS are freed by a function of its own. */
static int take_text(int r, gnutls_datum_t *datum, char **ret) {
    char *text = NULL;

    if (r >= 0) {
        text = strndup((const char *)datum->data, datum->size);
        r = text ? 0 : GNUTLS_E_MEMORY_ERROR;
    }
    free_datum(datum);
    if (r < 0)
        return to_errno(r);
    *ret = text;
    return 0;
}

int authority_make_key(char **ret) {
    _cleanup_(freep_key) gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t text = {};
    int r;

    r = gnutls_x509_privkey_init(&key);
    if (r >= 0)
        r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (r >= 0)
        r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                              &text);
    return take_text(r, &text, ret);
}

static time_t wall_clock(void) {
    return (time_t)(now_usec(CLOCK_REALTIME) / USEC_PER_SEC);
}

/* What all certificates have. */
static int begin_certificate(gnutls_x509_privkey_t key, const char *name, time_t expires,
                             gnutls_x509_crt_t *ret) {
    uint8_t serial[SERIAL_SIZE] = {}, id[KEY_ID_SIZE];
    size_t id_size = sizeof(id);
    int r;

    r = gnutls_x509_crt_init(ret);
    if (r >= 0)
        r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and always of the same size */
    if (r >= 0)
        r = gnutls_x509_crt_set_version(*ret, 3);
    if (r >= 0)
        r = gnutls_x509_crt_set_serial(*ret, serial, sizeof(serial));
    if (r >= 0)
        r = gnutls_x509_crt_set_activation_time(*ret, wall_clock() - CLOCKS_DIFFER_SEC);
    if (r >= 0)
        r = gnutls_x509_crt_set_expiration_time(*ret, expires);
    if (r >= 0)
        r = gnutls_x509_crt_set_key(*ret, key);
    if (r >= 0)
        r = gnutls_x509_crt_set_dn_by_oid(*ret, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                          (unsigned)MIN(strlen(name), (size_t)COMMON_NAME_MAX));
    if (r >= 0)
        r = gnutls_x509_crt_get_key_id(*ret, 0, id, &id_size);
    if (r >= 0)
        r = gnutls_x509_crt_set_subject_key_id(*ret, id, id_size);
    return r;
}

static int end_certificate(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer,
                           gnutls_x509_privkey_t key, char **ret) {
    gnutls_datum_t text = {};
    int r;

    r = gnutls_x509_crt_sign2(certificate, issuer, key, GNUTLS_DIG_SHA256, 0);
    if (r >= 0)
        r = gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text);
    return take_text(r, &text, ret);
}

int authority_make_ca(const char *key, const char *name, char **ret) {
    _cleanup_(freep_key) gnutls_x509_privkey_t k = NULL;
    _cleanup_(freep_crt) gnutls_x509_crt_t c = NULL;
    int r;

    TRY(read_key(key, &k));
    r = begin_certificate(k, name, wall_clock() + AUTHORITY_DAYS * DAY, &c);
    if (r >= 0)
        r = gnutls_x509_crt_set_basic_constraints(c, 1, 0); /* no authorities below it */
    if (r >= 0)
        r = gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    return r < 0 ? to_errno(r) : end_certificate(c, c, k, ret);
}

static int add_name(gnutls_x509_crt_t c, const char *name) {
    uint8_t address[16];
    size_t size = parse_address(name, address);

    return size > 0 ? gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, address,
                                                           (unsigned)size, GNUTLS_FSAN_APPEND)
                    : gnutls_x509_crt_set_subject_alt_name(
                          c, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static int add_issuer(gnutls_x509_crt_t c, gnutls_x509_crt_t issuer) {
    uint8_t id[KEY_ID_SIZE];
    size_t size = sizeof(id);
    int r;

    r = gnutls_x509_crt_get_subject_key_id(issuer, id, &size, NULL);
    return r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE
               ? 0
               : (r < 0 ? r : gnutls_x509_crt_set_authority_key_id(c, id, size));
}

static bool belong_together(gnutls_x509_crt_t c, gnutls_x509_privkey_t k) {
    uint8_t a[KEY_ID_SIZE], b[KEY_ID_SIZE];
    size_t a_size = sizeof(a), b_size = sizeof(b);

    return gnutls_x509_crt_get_key_id(c, 0, a, &a_size) >= 0 &&
           gnutls_x509_privkey_get_key_id(k, 0, b, &b_size) >= 0 && a_size == b_size &&
           memcmp(a, b, a_size) == 0;
}

int authority_sign(const char *ca, const char *ca_key, const char *key, const char *const *names,
                   size_t n_names, char **ret) {
    _cleanup_(freep_key) gnutls_x509_privkey_t k = NULL, issuer_key = NULL;
    _cleanup_(freep_crt) gnutls_x509_crt_t c = NULL, issuer = NULL;
    time_t expires = wall_clock() + CERTIFICATE_DAYS * DAY;
    int r;

    TRY(read_certificate(ca, &issuer));
    TRY(read_key(ca_key, &issuer_key));
    TRY(read_key(key, &k));
    if (!belong_together(issuer, issuer_key))
        return -EKEYREJECTED;
    r = begin_certificate(k, names[0], MIN(expires, gnutls_x509_crt_get_expiration_time(issuer)),
                          &c);
    for (size_t i = 0; r >= 0 && i < n_names; i++)
        r = add_name(c, names[i]);
    if (r >= 0)
        r = gnutls_x509_crt_set_basic_constraints(c, 0, -1);
    if (r >= 0)
        r = gnutls_x509_crt_set_key_usage(c, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (r >= 0)
        r = gnutls_x509_crt_set_key_purpose_oid(c, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (r >= 0)
        r = add_issuer(c, issuer);
    return r < 0 ? to_errno(r) : end_certificate(c, issuer, issuer_key, ret);
}

/* Names of other kinds, and those that are no valid ones, are left out. */
static int read_name(gnutls_x509_crt_t c, unsigned i, char **ret) {
    char value[HOST_NAME_SIZE_MAX + 1], address[INET6_ADDRSTRLEN];
    const char *name = value;
    size_t size = sizeof(value);
    int type = gnutls_x509_crt_get_subject_alt_name(c, i, value, &size, NULL);

    if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return -ENOENT;
    if (type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16))
        name = inet_ntop(size == 4 ? AF_INET : AF_INET6, value, address, sizeof(address));
    else if (type == GNUTLS_SAN_DNSNAME && size < sizeof(value))
        value[size] = 0;
    else
        return 0;
    if (!name || !host_name_is_valid(name))
        return 0;
    *ret = strdup(name);
    return *ret ? 1 : -ENOMEM;
}

void certificate_facts_done(CertificateFacts *f) {
    for (size_t i = 0; i < f->n_names; i++)
        free(f->names[i]);
    *f = (CertificateFacts){};
}

int certificate_read(const char *certificate, CertificateFacts *ret) {
    _cleanup_(certificate_facts_done) CertificateFacts f = {};
    _cleanup_(freep_crt) gnutls_x509_crt_t c = NULL;
    time_t expires;

    TRY(read_certificate(certificate, &c));
    for (unsigned i = 0; f.n_names < HOST_NAMES_MAX; i++) {
        int r = read_name(c, i, &f.names[f.n_names]);

        if (r == -ENOENT)
            break;
        if (r < 0)
            return r;
        f.n_names += (size_t)r;
    }
    expires = gnutls_x509_crt_get_expiration_time(c);
    f.expires_usec = expires > 0 ? (uint64_t)expires * USEC_PER_SEC : 0;
    *ret = f;
    f = (CertificateFacts){};
    return 0;
}

bool certificate_is_of(const char *certificate, const char *ca) {
    _cleanup_(freep_crt) gnutls_x509_crt_t c = NULL, issuer = NULL;

    return read_certificate(certificate, &c) >= 0 && read_certificate(ca, &issuer) >= 0 &&
           gnutls_x509_crt_check_issuer(c, issuer) > 0;
}
