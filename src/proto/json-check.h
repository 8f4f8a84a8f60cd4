/* SPDX-License-Identifier: Apache-2.0 */
/* What a text is, before anything is built of it: json-c's own strictness changes from version to
 * version, and a few bytes of text make it allocate a kilobyte. */
#pragma once

#include "basic/macro.h"

/* RFC 8259, and what Python's json module writes for numbers that it has no form for: NaN,
 * Infinity, -Infinity. `depth_max` levels of values, a scalar's own counted; `memory_max`
 * bytes that json-c would take for it, estimated from above. -EBADMSG: not JSON; -ELOOP: too deep;
 * -E2BIG: too many values; -EILSEQ: not UTF-8. */
int json_check(const char *text, size_t size, unsigned depth_max, uint64_t memory_max);
