/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629), one character at a time. Text is shortened at characters: half of one makes all
 * of it invalid to JSON, D-Bus and journalctl. */
#pragma once

#include <stdarg.h>

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

/* The largest n <= size that does not cut a character of valid UTF-8 in two;
 * text[size] must be readable. */
size_t utf8_cut(const char *text, size_t size) _pure_;

/* How many bytes of it, at most `max`, for "%.*s". NULL counts as empty. */
int utf8_short(const char *text, size_t max) _pure_;
#define UTF8_SHORT(text, max) utf8_short((text), (max)), strempty(text)

/* snprintf() into a buffer that may be too small for the text. Returns what is in it, strlen(). */
int utf8_format(char *buf, size_t size, const char *format, ...) _printf_(3, 4);
int utf8_format_list(char *buf, size_t size, const char *format, va_list ap) _printf_(3, 0);
