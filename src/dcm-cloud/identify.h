/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-cloud/provider.h"

/* Which cloud this is, and what it says of this server: the configured one, else the one that the
 * firmware names, else the first in the order of preference that answers; all of these are asked at
 * the same time. `type` is NULL where it is to be found out. Errors are only our own: a cloud that
 * does not answer is a `problem`. */
int identify(const char *type, const Question *q, CloudIdentity *ret);
/* What this server was given to do at its first start. -ENODATA: this cloud has no such thing. The
 * caller frees. */
int identify_script(const char *type, const Question *q, char **ret, size_t *ret_size);
