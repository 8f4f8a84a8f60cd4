/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a text before json-c parses it: what json-c accepts changes from version to version, and
 * it allocates a kilobyte for a few bytes of text. */
#pragma once

#include "basic/macro.h"

/* Accepts RFC 8259, and the numbers NaN, Infinity and -Infinity of Python's json module.
 * `depth_max`: levels of values, counting a scalar as one; `memory_max`: upper estimate of the
 * bytes that json-c would allocate. -EBADMSG: not JSON; -ELOOP: too deep; -E2BIG: too many values;
 * -EILSEQ: not UTF-8. */
int json_check(const char *text, size_t size, unsigned depth_max, uint64_t memory_max);
