/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-cloud/question.h"

/* What mdata-get(8) of SmartOS prints for a key. -ENOENT: the program, or the key, is not there;
 * -ETIMEDOUT. The caller frees. */
int mdata_get(const Question *q, const char *key, size_t size_max, char **ret, size_t *ret_size);
