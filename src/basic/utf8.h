/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629), one character at a time. Texts are shortened by whole characters, because half
 * a character makes the whole text invalid for JSON, D-Bus and journalctl. */
#pragma once

#include <stdarg.h>

#include "basic/macro.h"

static inline bool utf8_is_continuation(unsigned char c) {
    return (c & 0xc0) == 0x80;
}

/* Decodes the character at p. Returns how many of the `size` bytes it has, or 0 if they do not
 * begin with a valid character. NUL is valid. `size` must not be 0. */
size_t utf8_decode(const char *p, size_t size, uint32_t *ret);

/* Unicode's noncharacters, U+FFFF for instance: valid UTF-8, but libsystemd neither sends nor
 * accepts a D-Bus message with one. */
bool utf8_is_noncharacter(uint32_t c) _const_;

/* For a text that continues elsewhere: `size` without the bytes of an incomplete last character, at
 * most three. */
size_t utf8_whole(const char *text, size_t size) _pure_;

/* The largest n <= size at which valid UTF-8 can be cut between two characters; text[size] must be
 * readable. */
size_t utf8_cut(const char *text, size_t size) _pure_;

/* The bytes of `text` to print with "%.*s": at most `max`. NULL counts as empty. */
int utf8_short(const char *text, size_t max) _pure_;
#define UTF8_SHORT(text, max) utf8_short((text), (max)), strempty(text)

/* snprintf() into a buffer that may be too small; cuts between characters. Returns the strlen() of
 * the result. */
int utf8_format(char *buf, size_t size, const char *format, ...) _printf_(3, 4);
int utf8_format_list(char *buf, size_t size, const char *format, va_list ap) _printf_(3, 0);
