/* SPDX-License-Identifier: Apache-2.0 */
/* rclone: AES-256 in counter mode, behind its first counter block of 16 bytes; base64 for URLs
 * without padding. GnuTLS has no counter mode alone, but GCM (NIST SP 800-38D) is counter mode that
 * begins with the block of its nonce and the number 2. */
#include "dcm-object/obscure.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "basic/bounds.h"

#define NONCE_SIZE 12
#define BLOCK_SIZE 16
#define TAG_SIZE 16

/* fs/config/obscure of rclone: a constant of its file format */
static const uint8_t public_key[32] = {
    0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b,
    0xd3, 0x90, 0x19, 0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
};

static int encrypt(const char *text, size_t size, const uint8_t nonce[static NONCE_SIZE],
                   uint8_t *to) {
    const gnutls_datum_t key = {(unsigned char *)(uintptr_t)public_key, sizeof(public_key)};
    size_t n = size + TAG_SIZE;
    gnutls_aead_cipher_hd_t cipher;
    int r;

    if (gnutls_aead_cipher_init(&cipher, GNUTLS_CIPHER_AES_256_GCM, &key) < 0)
        return -ENOMEM;
    r = gnutls_aead_cipher_encrypt(cipher, nonce, NONCE_SIZE, NULL, 0, TAG_SIZE, text, size, to,
                                   &n);
    gnutls_aead_cipher_deinit(cipher);
    return r < 0 || n != size + TAG_SIZE ? -EIO : 0;
}

static void make_safe_for_urls(char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] == '+')
            text[i] = '-';
        else if (text[i] == '/')
            text[i] = '_';
}

int obscure(const char *password, const uint8_t nonce[static NONCE_SIZE], char **ret) {
    const size_t size = strlen(password);
    _cleanup_free_ uint8_t *data = NULL;
    gnutls_datum_t in, out = {};

    data = calloc(1, BLOCK_SIZE + size + TAG_SIZE);
    if (!data)
        return -ENOMEM;
    memcpy(data, nonce, NONCE_SIZE);
    data[BLOCK_SIZE - 1] = 2;
    TRY(encrypt(password, size, nonce, data + BLOCK_SIZE));
    in = (gnutls_datum_t){data, (unsigned)(BLOCK_SIZE + size)};
    if (gnutls_base64_encode2(&in, &out) < 0)
        return -ENOMEM;
    while (out.size > 0 && out.data[out.size - 1] == '=')
        out.size--;
    make_safe_for_urls((char *)out.data, out.size);
    *ret = strndup((char *)out.data, out.size);
    gnutls_free(out.data);
    return *ret ? 0 : -ENOMEM;
}
