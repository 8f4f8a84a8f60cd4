/* SPDX-License-Identifier: Apache-2.0 */
/* Size, SHA-256 and MD5 of what passes: SHA-256 for us, MD5 because servers say it. */
#pragma once

#include <gnutls/crypto.h>

#include "basic/macro.h"
#include "basic/sha256.h"

#define MD5_HEX_SIZE 33

typedef struct Digest {
    gnutls_hash_hd_t sha256, md5; /* md5 is NULL where the system forbids it */
    uint64_t size;
} Digest;

typedef struct DigestResult {
    uint64_t size;
    char sha256[SHA256_HEX_SIZE];
    char md5[MD5_HEX_SIZE]; /* or "" */
} DigestResult;

int digest_init(Digest *d);
void digest_done(Digest *d);
void digest_update(Digest *d, const void *data, size_t size);
/* Ends the computation. */
void digest_final(Digest *d, DigestResult *ret);
