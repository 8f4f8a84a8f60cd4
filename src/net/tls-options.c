/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls-options.h"

#include <gnutls/gnutls.h>

void tls_options_done(TlsOptions *o) {
    free(o->ca_cert);
    free(o->client_cert);
    free(o->client_key);
    *o = (TlsOptions){};
}

static int add_pin(TlsOptions *o, const char *text, size_t size) {
    gnutls_datum_t in = {(unsigned char *)text, (unsigned)size}, out = {};
    int r = -EINVAL;

    if (o->n_pins == PINS_MAX)
        return -E2BIG;
    if (gnutls_base64_decode2(&in, &out) >= 0 && out.size == PIN_SIZE) {
        memcpy(o->pins[o->n_pins++], out.data, PIN_SIZE);
        r = 0;
    }
    gnutls_free(out.data);
    return r;
}

int tls_options_add_pins(TlsOptions *o, const char *text) {
    static const char between[] = ", \t";
    unsigned before = o->n_pins;
    int r = 0;

    for (text += strspn(text, between); *text && r >= 0; text += strspn(text, between)) {
        size_t size = strcspn(text, between);

        r = add_pin(o, text, size);
        text += size;
    }
    return r < 0 || o->n_pins > before ? r : -EINVAL;
}
