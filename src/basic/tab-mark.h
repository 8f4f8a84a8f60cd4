/* SPDX-License-Identifier: Apache-2.0 */
/* The comment above a line of fstab(5) or crypttab(5) that dcm-volume wrote: it has a checksum of
 * that line, so that a line which somebody has edited is not taken for ours. */
#pragma once

#include "basic/macro.h"

/* The comment above this line, without a newline. The line has none either. The caller frees. */
int tab_mark_format(const char *line, size_t size, char **ret);

/* Whether `above`, the line before it, is its mark. A newline at the end of either does not count.
 */
bool tab_mark_is(const char *above, size_t above_size, const char *line, size_t size);
