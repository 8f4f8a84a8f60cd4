/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* Makes a shared access signature of an account for blobs, which is valid from a quarter of an hour
 * before `now` (seconds since 1970) for two days. -EINVAL: the key is not base64. The caller clears
 * and frees. */
int azure_sas_make(const char *account, const char *key, int64_t now, char **ret);
