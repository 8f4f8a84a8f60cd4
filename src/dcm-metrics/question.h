/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP request of whoever collects metrics (RFC 9112). */
#pragma once

#include "basic/macro.h"

/* The status that such a head is answered with: 200 for GET or HEAD of /metrics or /, 404 for
 * another path, 405 for another method, 400 for what is none. */
int question_judge(const char *head, size_t size, bool *ret_head_only);
