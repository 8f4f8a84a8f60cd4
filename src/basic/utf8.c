/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/utf8.h"

#include <stdio.h>

/* Size of a character by its first byte; 0: no character begins with it. */
static size_t announced_size(unsigned char first) {
    if (first < 0x80)
        return 1;
    return first >= 0xc2 && first <= 0xdf   ? 2
           : first >= 0xe0 && first <= 0xef ? 3
           : first >= 0xf0 && first <= 0xf4 ? 4
                                            : 0;
}

/* Rejects overlong forms, surrogates, and characters beyond U+10FFFF: the second byte shows all of
 * them. */
static bool is_second(unsigned char first, unsigned char second) {
    return !((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
             (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f));
}

size_t utf8_decode(const char *text, size_t size, uint32_t *ret) {
    const unsigned char *p = (const unsigned char *)text;
    size_t n = announced_size(p[0]);
    uint32_t c;

    if (n == 0 || n > size || (n > 1 && !is_second(p[0], p[1])))
        return 0;
    c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (!utf8_is_continuation(p[i]))
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    *ret = c;
    return n;
}

bool utf8_is_noncharacter(uint32_t c) {
    return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

size_t utf8_whole(const char *text, size_t size) {
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char c = (unsigned char)text[size - back];

        if (!utf8_is_continuation(c))
            return announced_size(c) > back ? size - back : size;
    }
    return size;
}

size_t utf8_cut(const char *text, size_t size) {
    while (size > 0 && utf8_is_continuation((unsigned char)text[size]))
        size--;
    return size;
}

int utf8_short(const char *text, size_t max) {
    return text ? (int)utf8_cut(text, strnlen(text, max)) : 0;
}

int utf8_format_list(char *buf, size_t size, const char *format, va_list ap) {
    int n = vsnprintf(buf, size, format, ap);

    assert(size > 0);
    if (n < 0)
        n = 0;
    if ((size_t)n >= size)
        n = (int)utf8_whole(buf, size - 1);
    buf[n] = 0;
    return n;
}

int utf8_format(char *buf, size_t size, const char *format, ...) {
    va_list ap;
    int n;

    va_start(ap, format);
    n = utf8_format_list(buf, size, format, ap);
    va_end(ap);
    return n;
}
