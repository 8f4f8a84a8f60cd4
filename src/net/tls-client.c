/* SPDX-License-Identifier: Apache-2.0 */
/* The system-wide crypto policy decides about algorithms (gnutls_set_default_priority); we only
 * take TLS 1.0 and 1.1 away. The trust store is loaded for each handshake and freed after it. */
#include "net/tls-client.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdio.h>

#include "basic/macro.h"

static bool is_address(const char *host) {
    struct in6_addr a;

    return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

static int load_trust(gnutls_certificate_credentials_t credentials, const TlsOptions *o,
                      char *error, size_t error_size) {
    int n;

    if (o->allow_unknown_certs)
        return 0;
    if (!o->ca_cert) {
        n = gnutls_certificate_set_x509_system_trust(credentials);
        if (n > 0)
            return 0;
        (void)snprintf(
            error, error_size,
            "the system has no trusted certificates; install ca-certificates or set ca_cert");
        return -ENOENT;
    }
    n = gnutls_certificate_set_x509_trust_file(credentials, o->ca_cert, GNUTLS_X509_FMT_PEM);
    if (n > 0)
        return 0;
    (void)snprintf(error, error_size, "ca_cert %s cannot be used: %s", o->ca_cert,
                   n == 0 ? "it has no certificate" : gnutls_strerror(n));
    return -EINVAL;
}

static int setup_session(gnutls_session_t session, gnutls_certificate_credentials_t credentials,
                         const TlsOptions *o, const char *host) {
    int r;

    r = gnutls_set_default_priority_append(session, "-VERS-TLS1.0:-VERS-TLS1.1", NULL, 0);
    if (r < 0)
        return r;
    r = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    if (r < 0)
        return r;
    /* RFC 6066, section 3: addresses are not permitted in SNI */
    if (!is_address(host)) {
        r = gnutls_server_name_set(session, GNUTLS_NAME_DNS, host, strlen(host));
        if (r < 0)
            return r;
    }
    if (!o->allow_unknown_certs)
        gnutls_session_set_verify_cert(session, host, 0);
    return 0;
}

int tls_client_start(Transport *t, const TlsOptions *options, const char *host, char *error,
                     size_t error_size) {
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_session_t session = NULL;
    int r;

    r = gnutls_certificate_allocate_credentials(&credentials);
    if (r < 0)
        return -ENOMEM;
    r = load_trust(credentials, options, error, error_size);
    if (r < 0)
        goto fail;
    r = gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (r >= 0)
        r = setup_session(session, credentials, options, host);
    if (r < 0) {
        (void)snprintf(error, error_size, "TLS cannot be set up: %s", gnutls_strerror(r));
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

static void explain_verification(unsigned status, const char *host, char *error, size_t size) {
    static const struct {
        unsigned flag;
        const char *text;
    } reasons[] = {
        {GNUTLS_CERT_REVOKED, "is revoked; the manager needs a new one"},
        {GNUTLS_CERT_EXPIRED, "has expired; renew it, or set this machine's clock"},
        {GNUTLS_CERT_NOT_ACTIVATED, "is not valid yet; check this machine's clock"},
        {GNUTLS_CERT_UNEXPECTED_OWNER, "is for another host name; check agentmanager_url"},
        {GNUTLS_CERT_SIGNER_NOT_FOUND,
         "is signed by an authority that is not trusted here; set ca_cert"},
        {GNUTLS_CERT_SIGNER_NOT_CA, "is signed by a certificate that is no authority"},
        {GNUTLS_CERT_INSECURE_ALGORITHM, "uses an insecure algorithm; the manager needs a new one"},
        {GNUTLS_CERT_PURPOSE_MISMATCH, "is not meant for a TLS server"},
        {GNUTLS_CERT_MISSING_OCSP_STATUS, "must come with a revocation status, and did not"},
    };

    for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
        if (status & reasons[i].flag) {
            (void)snprintf(error, size, "the certificate of %s %s", host, reasons[i].text);
            return;
        }
    (void)snprintf(error, size, "the certificate of %s cannot be verified (status 0x%x)", host,
                   status);
}

void tls_client_explain(Transport *t, const char *host, char *error, size_t size) {
    int code = transport_tls_error(t);

    if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
        explain_verification(gnutls_session_get_verify_cert_status(transport_get_session(t)), host,
                             error, size);
    else if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
        (void)snprintf(error, size, "%s refused TLS: %s", host,
                       gnutls_alert_get_name(gnutls_alert_get(transport_get_session(t))));
    else if (code == GNUTLS_E_UNEXPECTED_PACKET || code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
        (void)snprintf(error, size, "%s does not speak TLS on this port; is it a ws:// URL?", host);
    else
        (void)snprintf(error, size, "TLS with %s failed: %s", host, gnutls_strerror(code));
}
