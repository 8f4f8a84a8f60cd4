/* SPDX-License-Identifier: Apache-2.0 */
/* Text as the wire wants it: percent-encoded, valid UTF-8, cut at a character. */
#pragma once

#include "basic/macro.h"
#include "basic/utf8.h"

/* Copies text of any bytes; each that is not part of valid UTF-8 (RFC 3629), and each NUL, becomes
 * U+FFFD. The caller frees. */
int utf8_replace_invalid(const char *text, size_t size, char **ret);

/* RFC 3629; a NUL is not. */
bool utf8_is_valid(const char *text, size_t size) _pure_;

/* RFC 3986, section 2.1: all but letters, digits and "_.-~/" become %XX. Takes at most size_max
 * bytes of the text. The caller frees. */
int percent_encode(const char *text, size_t size_max, char **ret);

/* The reverse: %XX becomes that byte, anything else stays; what is not valid UTF-8 then, and NUL,
 * is replaced by U+FFFD. The caller frees. */
int percent_decode(const char *text, char **ret);

/* An error text for people: one that percent_encode() made is decoded, any other is copied. An
 * agent encodes its own, and leaves what a script wrote as it is; a text with a %XX and without a
 * blank or another character that would be encoded is taken for the former. The caller frees. */
int error_text_for_people(const char *text, char **ret);
