/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* The form in which rclone expects passwords in its configuration, as "rclone obscure" writes it:
 * the key is public, so this protects nothing. `nonce` has 12 random bytes. The caller clears and
 * frees. */
int obscure(const char *password, const uint8_t nonce[static 12], char **ret);
