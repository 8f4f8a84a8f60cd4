/* SPDX-License-Identifier: Apache-2.0 */
/* The system-wide crypto policy selects algorithms (gnutls_set_default_priority); this code only
 * disables TLS 1.0 and 1.1. It loads the trust store for each handshake and frees it afterwards. */
#include "net/tls-client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "net/tls-verify.h"

#define ERROR_SIZE 512
#define TICKET_USEC_MAX (3600 * USEC_PER_SEC)

struct TlsClient {
    const TlsOptions *options;
    char *host;
    char error[ERROR_SIZE]; /* of the current verification */
    gnutls_datum_t ticket;
    uint64_t verified_usec; /* time of the last check of the certificate */
};

static void forget(TlsClient *c) {
    if (c->ticket.data)
        gnutls_memset(c->ticket.data, 0, c->ticket.size);
    gnutls_free(c->ticket.data);
    c->ticket = (gnutls_datum_t){};
}

TlsClient *tls_client_free(TlsClient *c) {
    if (!c)
        return NULL;
    forget(c);
    free(c->host);
    free(c);
    return NULL;
}

int tls_client_new(const TlsOptions *options, const char *host, TlsClient **ret) {
    _cleanup_(tls_client_freep) TlsClient *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->options = options;
    c->host = strdup(host);
    if (!c->host)
        return -ENOMEM;
    /* RFC 6066, section 3, and RFC 9525: without the final dot of an absolute name */
    if (c->host[0] && c->host[strlen(c->host) - 1] == '.')
        c->host[strlen(c->host) - 1] = 0;
    *ret = TAKE_PTR(c);
    return 0;
}

static bool is_address(const char *host) {
    struct in6_addr a;

    return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

/* Explains why GnuTLS could not use a file; GnuTLS itself does not say why it could not read
 * one. */
static const char *file_error(const char *path, int code) {
    if (code != GNUTLS_E_FILE_ERROR)
        return gnutls_strerror(code);
    if (strncmp(path, "credential:", strlen("credential:")) == 0)
        return "the service has no such credential (LoadCredential=)";
    return access(path, R_OK) < 0 ? strerror(errno) : gnutls_strerror(code);
}

/* DER, the other form in which authorities hand out certificates, begins with a SEQUENCE. */
static const char *explain_no_certificate(const char *path) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    uint8_t head[2] = {};

    return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) && head[0] == 0x30 &&
                   head[1] & 0x80
               ? "it has no certificate in PEM form; if it is one in DER form: openssl x509 "
                 "-inform DER -in FILE -out FILE.pem"
               : "it has no certificate";
}

static int load_trust(const TlsOptions *o, gnutls_certificate_credentials_t credentials,
                      char *error, size_t error_size) {
    int n;

    if (o->allow_unknown_certs)
        return 0;
    if (!o->ca_cert) {
        n = gnutls_certificate_set_x509_system_trust(credentials);
        if (n > 0)
            return 0;
        (void)utf8_format(
            error, error_size,
            "the system has no trusted certificates; install ca-certificates or set %s",
            tls_options_ca_key(o));
        return -ENOENT;
    }
    n = gnutls_certificate_set_x509_trust_file(credentials, o->ca_cert, GNUTLS_X509_FMT_PEM);
    if (n > 0)
        return 0;
    (void)utf8_format(error, error_size, "%s %s cannot be used: %s", tls_options_ca_key(o),
                      o->ca_cert,
                      n == 0 ? explain_no_certificate(o->ca_cert) : file_error(o->ca_cert, n));
    return -EINVAL;
}

static int load_own(const TlsOptions *o, gnutls_certificate_credentials_t credentials, char *error,
                    size_t error_size) {
    const char *key = o->client_key ?: o->client_cert, *why;
    int r;

    if (!o->client_cert)
        return 0;
    r = gnutls_certificate_set_x509_key_file2(credentials, o->client_cert, key, GNUTLS_X509_FMT_PEM,
                                              NULL, 0);
    if (r >= 0)
        return 0;
    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || r == GNUTLS_E_BASE64_DECODING_ERROR ||
        r == GNUTLS_E_NO_CERTIFICATE_FOUND)
        why = "they have no certificate with its key in PEM form";
    else
        why = access(o->client_cert, R_OK) < 0 ? file_error(o->client_cert, r) : file_error(key, r);
    /* a PKCS#11 URI may contain the PIN */
    (void)utf8_format(error, error_size, "client_cert%s%s with client_key%s%s cannot be used: %s",
                      strchr(o->client_cert, ':') ? "" : " ",
                      strchr(o->client_cert, ':') ? "" : o->client_cert,
                      strchr(key, ':') ? "" : " ", strchr(key, ':') ? "" : key, why);
    return -EINVAL;
}

int tls_client_check_files(const TlsOptions *options, char *error, size_t error_size) {
    gnutls_certificate_credentials_t credentials;
    int r;

    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return -ENOMEM;
    r = load_trust(options, credentials, error, error_size);
    if (r >= 0)
        r = load_own(options, credentials, error, error_size);
    gnutls_certificate_free_credentials(credentials);
    return r;
}

/* Not called for a resumed session: RFC 8446, section 2.2. */
static int on_verify(gnutls_session_t session) {
    TlsClient *c = gnutls_session_get_ptr(session);

    if (tls_verify(session, c->options, c->host, c->error, sizeof(c->error)) < 0)
        return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
    c->verified_usec = now_usec(CLOCK_BOOTTIME);
    return 0;
}

static int setup_session(TlsClient *c, gnutls_session_t session,
                         gnutls_certificate_credentials_t credentials) {
    int r;

    TRY(gnutls_set_default_priority_append(session, "-VERS-TLS1.0:-VERS-TLS1.1", NULL, 0));
    r = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    if (r < 0)
        return r;
    /* RFC 6066, section 3: addresses are not permitted in SNI */
    if (!is_address(c->host)) {
        TRY(gnutls_server_name_set(session, GNUTLS_NAME_DNS, c->host, strlen(c->host)));
    }
    gnutls_session_set_ptr(session, c);
    gnutls_session_set_verify_function(session, on_verify);
    if (c->ticket.data && now_usec(CLOCK_BOOTTIME) - c->verified_usec < TICKET_USEC_MAX)
        (void)gnutls_session_set_data(session, c->ticket.data, c->ticket.size);
    forget(c); /* RFC 8446, appendix C.4: tickets are used once */
    return 0;
}

int tls_client_start(TlsClient *c, Transport *t, char *error, size_t error_size) {
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_session_t session = NULL;
    int r;

    c->error[0] = 0;
    r = gnutls_certificate_allocate_credentials(&credentials);
    if (r < 0)
        return -ENOMEM;
    r = load_trust(c->options, credentials, error, error_size);
    if (r >= 0)
        r = load_own(c->options, credentials, error, error_size);
    if (r < 0)
        goto fail;
    r = gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (r >= 0)
        r = setup_session(c, session, credentials);
    if (r < 0) {
        (void)utf8_format(error, error_size, "TLS cannot be set up: %s", gnutls_strerror(r));
        r = -EOPNOTSUPP;
        goto fail;
    }
    transport_set_tls(t, session, credentials);
    return 0;

fail:
    if (session)
        gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    return r;
}

/* RFC 8446, section 6.2 */
static const char *alert_remedy(const TlsOptions *o, gnutls_alert_description_t alert) {
    static const char not_accepted[] =
        "it does not accept this server's certificate; check client_cert and client_key";

    switch (alert) {
    case GNUTLS_A_CERTIFICATE_REQUIRED: /* or the certificate is of no authority that it named */
        return o->client_cert
                   ? not_accepted
                   : "it wants a certificate of this server; set client_cert and client_key";
    case GNUTLS_A_BAD_CERTIFICATE:
    case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
    case GNUTLS_A_CERTIFICATE_REVOKED:
    case GNUTLS_A_CERTIFICATE_EXPIRED:
    case GNUTLS_A_CERTIFICATE_UNKNOWN:
    case GNUTLS_A_UNKNOWN_CA:
    case GNUTLS_A_ACCESS_DENIED:
    case GNUTLS_A_DECRYPT_ERROR:
        return not_accepted;
    case GNUTLS_A_PROTOCOL_VERSION:
        return "it offers neither TLS 1.2 nor TLS 1.3 that the crypto policy here allows";
    case GNUTLS_A_HANDSHAKE_FAILURE:
    case GNUTLS_A_INSUFFICIENT_SECURITY:
        return o->client_cert
                   ? "no common algorithm (see the crypto policy of both sides), or it does "
                     "not accept client_cert"
                   : "no common algorithm (see the crypto policy of both sides), or it "
                     "wants a certificate: client_cert";
    case GNUTLS_A_UNRECOGNIZED_NAME:
        return o->is_proxy ? "it does not serve this name; check proxy"
                           : "it does not serve this name; check agentmanager_url";
    default:
        return NULL;
    }
}

static void explain_alert(const TlsClient *c, Transport *t, char *error, size_t size) {
    gnutls_alert_description_t alert = gnutls_alert_get(transport_get_session(t));
    const char *remedy = alert_remedy(c->options, alert);

    (void)utf8_format(error, size, "%s refused TLS (alert %d, %s)%s%s", c->host, alert,
                      gnutls_alert_get_name(alert), remedy ? "; " : "", strempty(remedy));
}

void tls_client_explain(const TlsClient *c, Transport *t, char *error, size_t size) {
    int code = transport_tls_error(t);

    switch (code) {
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
    case GNUTLS_E_CERTIFICATE_ERROR:
        (void)utf8_format(error, size, "%s", c->error);
        if (error[0])
            return;
        break;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
    case GNUTLS_E_WARNING_ALERT_RECEIVED:
        explain_alert(c, t, error, size);
        return;
    case GNUTLS_E_UNEXPECTED_PACKET:
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
        (void)utf8_format(error, size, "%s does not speak TLS on this port; is it %s", c->host,
                          c->options->is_proxy ? "an http:// proxy?" : "a ws:// URL?");
        return;
    case GNUTLS_E_PREMATURE_TERMINATION:
        (void)utf8_format(error, size,
                          "%s closed the connection during the TLS handshake; is it a TLS port?",
                          c->host);
        return;
    case GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM:
    case GNUTLS_E_NO_CIPHER_SUITES:
    case GNUTLS_E_UNKNOWN_CIPHER_SUITE:
    case GNUTLS_E_DH_PRIME_UNACCEPTABLE:
    case GNUTLS_E_INSUFFICIENT_SECURITY:
        (void)utf8_format(error, size,
                          "TLS with %s failed: %s; see the crypto policy of both sides", c->host,
                          gnutls_strerror(code));
        return;
    }
    (void)utf8_format(error, size, "TLS with %s failed: %s", c->host, gnutls_strerror(code));
}

void tls_client_describe(const TlsClient *c, Transport *t, char *text, size_t size) {
    gnutls_session_t session = transport_get_session(t);

    (void)utf8_format(text, size, "%s, %s%s",
                      strempty(gnutls_protocol_get_name(gnutls_protocol_get_version(session))),
                      strempty(gnutls_cipher_get_name(gnutls_cipher_get(session))),
                      gnutls_session_is_resumed(session) ? ", resumed" : "");
}

uint64_t tls_client_not_after_usec(Transport *t) {
    gnutls_x509_crt_t cert = NULL;
    unsigned n = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(transport_get_session(t), &n);
    time_t end = 0;

    if (!peers || n == 0 || gnutls_x509_crt_init(&cert) < 0)
        return 0;
    if (gnutls_x509_crt_import(cert, &peers[0], GNUTLS_X509_FMT_DER) >= 0)
        end = gnutls_x509_crt_get_expiration_time(cert);
    gnutls_x509_crt_deinit(cert);
    return end > 0 ? (uint64_t)end * USEC_PER_SEC : 0;
}

void tls_client_remember(TlsClient *c, Transport *t) {
    gnutls_session_t session = transport_get_session(t);

    forget(c);
    /* TLS 1.3: without a received ticket GnuTLS would wait for one */
    if (gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3 &&
        !(gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET))
        return;
    if (gnutls_session_get_data2(session, &c->ticket) < 0)
        c->ticket = (gnutls_datum_t){};
}
