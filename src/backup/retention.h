/* SPDX-License-Identifier: Apache-2.0 */
/* Which backups of a series are kept: the newest ones, and one for each of the last days, weeks and
 * months that have any (grandfather, father, son). Days begin at midnight UTC, weeks on Monday. */
#pragma once

#include "basic/macro.h"

typedef struct Retention {
    unsigned newest, days, weeks, months; /* how many of each; all 0: everything is kept */
} Retention;

bool retention_is_set(const Retention *r) _pure_;

/* `times_usec` in any order; ret_delete[i] says whether the i-th may be deleted. The newest never
 * may. */
void retention_choose(const Retention *r, const uint64_t *times_usec, size_t n, bool *ret_delete);
