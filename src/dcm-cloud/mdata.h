/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-cloud/question.h"

/* Runs mdata-get(8) of SmartOS for a key. -ENOENT: the program, or the key, does not exist;
 * -ETIMEDOUT. The caller frees the value. */
int mdata_get(const Question *q, const char *key, size_t size_max, char **ret, size_t *ret_size);
