/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4). Own code, because dcm-run must depend on no library. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1)

typedef struct Sha256 {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64];
} Sha256;

void sha256_init(Sha256 *s);
void sha256_update(Sha256 *s, const void *data, size_t size);
/* Ends the computation; the result is in lower-case hex. */
void sha256_final_hex(Sha256 *s, char ret[static SHA256_HEX_SIZE]);
void sha256_hex(const void *data, size_t size, char ret[static SHA256_HEX_SIZE]);
