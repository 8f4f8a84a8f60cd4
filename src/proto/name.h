/* SPDX-License-Identifier: Apache-2.0 */
/* Names from a manager (docs/protocol, section 7). */
#pragma once

#include "basic/macro.h"

/* A letter or digit, or several with dashes and underscores between them; at most 32 characters. */
bool user_name_is_valid(const char *s) _pure_;

/* Removes all characters that no host name has. -EINVAL: the result is not a name of RFC 1123
 * (section 2.1) of at most 64 characters, or is a number, an address, or localhost; or the text is
 * an address, or has more than 255 characters. The caller frees the result. */
int host_name_make(const char *text, char **ret);
