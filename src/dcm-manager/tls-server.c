/* SPDX-License-Identifier: Apache-2.0 */
/* The system-wide crypto policy selects algorithms, as on the agent's side; TLS 1.0 and 1.1 are
 * disabled. */
#include "dcm-manager/tls-server.h"

#include <gnutls/x509.h>
#include <stdio.h>

#include "basic/time-util.h"
#include "basic/utf8.h"

#define EXPIRING_USEC (30 * 24 * 3600 * USEC_PER_SEC)

struct TlsServer {
    unsigned references;
    gnutls_certificate_credentials_t credentials;
    time_t begins, expires;
    gnutls_datum_t ticket_key; /* GnuTLS makes keys of it that change with time */
};

/* Of the certificate in the chain that expires first. */
static int read_times(TlsServer *t) {
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    int r;

    r = gnutls_certificate_get_x509_crt(t->credentials, 0, &chain, &n);
    for (unsigned i = 0; r >= 0 && i < n; i++) {
        time_t expires = gnutls_x509_crt_get_expiration_time(chain[i]);

        if (i == 0 || expires < t->expires) {
            t->expires = expires;
            t->begins = gnutls_x509_crt_get_activation_time(chain[i]);
        }
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    return r;
}

int tls_server_new(const char *cert, const char *key, TlsServer **ret, char *error,
                   size_t error_size) {
    _cleanup_(tls_server_unrefp) TlsServer *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return -ENOMEM;
    t->references = 1;
    r = gnutls_certificate_allocate_credentials(&t->credentials);
    if (r < 0)
        return -ENOMEM;
    r = gnutls_certificate_set_x509_key_file(t->credentials, cert, key, GNUTLS_X509_FMT_PEM);
    if (r >= 0)
        r = read_times(t);
    if (r < 0) {
        (void)utf8_format(error, error_size, "certificate %s with key %s cannot be used: %s", cert,
                          key, gnutls_strerror(r));
        return -EINVAL;
    }
    if (gnutls_session_ticket_key_generate(&t->ticket_key) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(t);
    return 0;
}

TlsServer *tls_server_ref(TlsServer *t) {
    if (t)
        t->references++;
    return t;
}

TlsServer *tls_server_unref(TlsServer *t) {
    if (!t || --t->references > 0)
        return NULL;
    if (t->credentials)
        gnutls_certificate_free_credentials(t->credentials);
    if (t->ticket_key.data)
        gnutls_memset(t->ticket_key.data, 0, t->ticket_key.size);
    gnutls_free(t->ticket_key.data);
    free(t);
    return NULL;
}

uint64_t tls_server_expires_usec(const TlsServer *t) {
    return t->expires > 0 ? (uint64_t)t->expires * USEC_PER_SEC : 0;
}

/* Of one that is renewed automatically after two thirds of its life nothing has to be said. */
bool tls_server_is_expiring(const TlsServer *t, uint64_t now_usec) {
    uint64_t expires = tls_server_expires_usec(t);
    uint64_t life = t->expires > t->begins ? (uint64_t)(t->expires - t->begins) * USEC_PER_SEC : 0;

    return now_usec + MIN(life / 5, EXPIRING_USEC) >= expires;
}

int tls_server_start(TlsServer *t, Transport *transport) {
    gnutls_session_t session = NULL;
    int r;

    r = gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (r < 0)
        return -ENOMEM;
    r = gnutls_set_default_priority_append(session, "-VERS-TLS1.0:-VERS-TLS1.1", NULL, 0);
    if (r >= 0)
        r = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials);
    if (r >= 0) /* an agent that comes back needs no signature */
        r = gnutls_session_ticket_enable_server(session, &t->ticket_key);
    if (r < 0) {
        gnutls_deinit(session);
        return -EOPNOTSUPP;
    }
    transport_set_tls(transport, session, NULL);
    return 0;
}
