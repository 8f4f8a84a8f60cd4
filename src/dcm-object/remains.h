/* SPDX-License-Identifier: Apache-2.0 */
/* What uploads have left that were killed: where a partial object would be seen, it has another
 * name until it is complete; S3 keeps parts, which are not listed. */
#pragma once

#include "dcm-object/store.h"

/* Of objects whose names begin with `prefix`, and that nobody has written to since `age_usec`.
 * *ret_removed: files; parts are not counted. -EIO with the failure. */
int remains_remove(Store *s, const char *prefix, uint64_t age_usec, unsigned *ret_removed,
                   Failure *f);
