/* SPDX-License-Identifier: Apache-2.0 */
/* Text for the wire: percent-encoded, valid UTF-8, cut between characters. */
#pragma once

#include "basic/macro.h"
#include "basic/utf8.h"

/* Copies a text of any bytes, with U+FFFD for each byte that is not valid UTF-8 (RFC 3629), and for
 * each NUL. The caller frees. */
int utf8_replace_invalid(const char *text, size_t size, char **ret);

/* Whether the text is UTF-8 (RFC 3629) without NUL. */
bool utf8_is_valid(const char *text, size_t size) _pure_;

/* Whether D-Bus accepts the text: libsystemd refuses the whole message for invalid UTF-8 or a
 * noncharacter (basic/utf8.h). */
bool bus_text_is_valid(const char *text) _pure_;
/* Copies a text with U+FFFD for each byte of these. The caller frees. */
int bus_text_new(const char *text, char **ret);

/* Encodes a text (RFC 3986, section 2.1): all bytes except letters, digits and "_.-~/" become %XX.
 * Reads at most size_max bytes of it. The caller frees. */
int percent_encode(const char *text, size_t size_max, char **ret);

/* Decodes %XX and keeps the rest; then U+FFFD replaces invalid UTF-8 and NUL. The caller frees. */
int percent_decode(const char *text, char **ret);

/* Makes an error text readable for people: decodes it if percent_encode() made it, otherwise copies
 * it. An agent encodes its own error texts, and sends those of a script unchanged; a text counts as
 * encoded if it has a %XX and no blank or other character that would be encoded. The caller
 * frees. */
int error_text_for_people(const char *text, char **ret);
