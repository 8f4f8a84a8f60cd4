/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/random-letters.h"

#include <sys/random.h>

int random_letters(char *ret, size_t n) {
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t bytes[RANDOM_LETTERS_MAX] = {};

    static_assert(sizeof(letters) - 1 == 32, "5 bits");
    if (n > sizeof(bytes) || getrandom(bytes, n, 0) != (ssize_t)n)
        return -EIO;
    for (size_t i = 0; i < n; i++)
        ret[i] = letters[bytes[i] & 31];
    ret[n] = 0;
    explicit_bzero(bytes, sizeof(bytes)); /* the letters may be a secret */
    return 0;
}
