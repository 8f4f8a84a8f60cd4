/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for resize_volume, after the cloud has enlarged the disk. */
#pragma once

#include "volume/plan.h"

/* Grows array, LUKS and file system to the size of what they lie on, while mounted. A repetition
 * does no harm. 0: a plan; 1: refused; negative errno. */
int plan_grow(const Facts *f, const char *name, bool has_key, const Plan *records, size_t n_records,
              Plan *ret, Refusal *ret_refusal);
