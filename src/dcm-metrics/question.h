/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP request of a collector of metrics (RFC 9112). */
#pragma once

#include "basic/macro.h"

/* The response status for a request head: 200 for GET or HEAD of /metrics or /, 404 for another
 * path, 405 for another method, 400 for an invalid head. */
int question_judge(const char *head, size_t size, bool *ret_head_only);
