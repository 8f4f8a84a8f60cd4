/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/text.h"

#include <ctype.h>

static const char replacement[] = "\xef\xbf\xbd";

/* Length of the valid character at p, or 0. */
static size_t character_size(const unsigned char *p, size_t size) {
    uint32_t c = 0;

    return p[0] == 0 ? 0 : utf8_decode((const char *)p, size, &c);
}

/* The same of a character that D-Bus accepts. */
static size_t bus_character_size(const unsigned char *p, size_t size) {
    uint32_t c = 0;
    size_t n = utf8_decode((const char *)p, size, &c);

    return c == 0 || utf8_is_noncharacter(c) ? 0 : n;
}

typedef size_t (*CharacterSize)(const unsigned char *p, size_t size);

/* Counts the ASCII bytes at the beginning, because most text is ASCII. */
static size_t ascii_size(const unsigned char *p, size_t size) {
    size_t n = 0;

    while (n < size && p[n] > 0 && p[n] < 0x80)
        n++;
    return n;
}

static size_t copy_valid(CharacterSize get_size, const unsigned char *p, size_t size, char *out) {
    size_t used = 0;

    while (size > 0) {
        size_t n = ascii_size(p, size) ?: get_size(p, size);
        const void *from = n > 0 ? (const void *)p : replacement;
        size_t length = n > 0 ? n : sizeof(replacement) - 1;

        if (out)
            memcpy(out + used, from, length);
        used += length;
        p += MAX(n, (size_t)1);
        size -= MAX(n, (size_t)1);
    }
    return used;
}

static int replace_invalid(CharacterSize get_size, const char *text, size_t size, char **ret) {
    size_t needed = copy_valid(get_size, (const unsigned char *)text, size, NULL);
    char *copy = malloc(needed + 1);

    if (!copy)
        return -ENOMEM;
    (void)copy_valid(get_size, (const unsigned char *)text, size, copy);
    copy[needed] = 0;
    *ret = copy;
    return 0;
}

int utf8_replace_invalid(const char *text, size_t size, char **ret) {
    return replace_invalid(character_size, text, size, ret);
}

int bus_text_new(const char *text, char **ret) {
    return replace_invalid(bus_character_size, text, strlen(text), ret);
}

static bool is_valid(CharacterSize get_size, const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    size_t n;

    for (; size > 0; p += n, size -= n) {
        n = get_size(p, size);
        if (n == 0)
            return false;
    }
    return true;
}

bool utf8_is_valid(const char *text, size_t size) {
    return is_valid(character_size, text, size);
}

bool bus_text_is_valid(const char *text) {
    return is_valid(bus_character_size, text, strlen(text));
}

static bool is_unreserved(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("_.-~/", c);
}

int percent_encode(const char *text, size_t size_max, char **ret) {
    static const char digits[] = "0123456789ABCDEF";
    size_t size = strnlen(text, size_max);
    char *encoded, *p;

    size = utf8_cut(text, size);
    encoded = p = malloc(3 * size + 1);
    if (!encoded)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (is_unreserved(c))
            *p++ = (char)c;
        else {
            *p++ = '%';
            *p++ = digits[c >> 4];
            *p++ = digits[c & 15];
        }
    }
    *p = 0;
    *ret = encoded;
    return 0;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(const char *text, char **ret) {
    _cleanup_free_ char *decoded = malloc(strlen(text) + 1);
    char *p = decoded;
    int r;

    if (!decoded)
        return -ENOMEM;
    while (*text) {
        int high = *text == '%' ? hex_value(text[1]) : -1;
        int low = high >= 0 ? hex_value(text[2]) : -1;

        if (low >= 0) {
            *p++ = (char)(high << 4 | low);
            text += 3;
        } else
            *p++ = *text++;
    }
    r = utf8_replace_invalid(decoded, (size_t)(p - decoded), ret);
    explicit_bzero(decoded, (size_t)(p - decoded)); /* it may be a password */
    return r;
}

static bool is_percent_encoded(const char *s) {
    bool any = false;

    for (; *s; s++)
        if (*s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2])) {
            any = true;
            s += 2;
        } else if (!is_unreserved((unsigned char)*s))
            return false;
    return any;
}

int error_text_for_people(const char *text, char **ret) {
    char *copy;

    if (is_percent_encoded(text))
        return percent_decode(text, ret);
    copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}
