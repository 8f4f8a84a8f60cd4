/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/digest.h"

#include <stdio.h>

int digest_init(Digest *d) {
    *d = (Digest){};
    if (gnutls_hash_init(&d->sha256, GNUTLS_DIG_SHA256) < 0)
        return -ENOMEM;
    if (gnutls_hash_init(&d->md5, GNUTLS_DIG_MD5) < 0)
        d->md5 = NULL;
    return 0;
}

static void end(gnutls_hash_hd_t *hash, unsigned char *value) {
    if (*hash)
        gnutls_hash_deinit(*hash, value);
    *hash = NULL;
}

void digest_done(Digest *d) {
    end(&d->sha256, NULL);
    end(&d->md5, NULL);
}

void digest_update(Digest *d, const void *data, size_t size) {
    (void)gnutls_hash(d->sha256, data, size);
    if (d->md5)
        (void)gnutls_hash(d->md5, data, size);
    d->size += size;
}

static void to_hex(const unsigned char *value, size_t size, char *to) {
    for (size_t i = 0; i < size; i++)
        (void)snprintf(to + 2 * i, 3, "%02x", value[i]);
}

void digest_final(Digest *d, DigestResult *ret) {
    unsigned char value[SHA256_SIZE] = {};

    *ret = (DigestResult){.size = d->size};
    end(&d->sha256, value);
    to_hex(value, SHA256_SIZE, ret->sha256);
    if (!d->md5)
        return;
    end(&d->md5, value);
    to_hex(value, (MD5_HEX_SIZE - 1) / 2, ret->md5);
}
