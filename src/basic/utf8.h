/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629), one character at a time. */
#pragma once

#include "basic/macro.h"

static inline bool utf8_is_continuation(unsigned char c) {
    return (c & 0xc0) == 0x80;
}

/* The character at p: how many of the `size` bytes it has; 0: they do not begin with a valid one. A
 * NUL is one, too. `size` must not be 0. */
size_t utf8_decode(const char *p, size_t size, uint32_t *ret);

/* The bytes of a text that goes on, without those of its last character if that is not whole: at
 * most three less. */
size_t utf8_whole(const char *text, size_t size) _pure_;
