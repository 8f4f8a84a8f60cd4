/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a manager gives (docs/protocol, section 7). */
#pragma once

#include "basic/macro.h"

/* A letter or digit, or several with dashes and underscores between them; at most 32. */
bool user_name_is_valid(const char *s) _pure_;

/* What is left of the text without characters that no host name has. -EINVAL: that is no name of
 * RFC 1123 (section 2.1) of at most 64 characters, a number, an address, or localhost; or the text
 * is an address, or has more than 255 characters. The caller frees. */
int host_name_make(const char *text, char **ret);
