/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for unmount_volume. */
#pragma once

#include "volume/plan.h"

/* Unmounts, closes and stops what is ours, and removes our lines. What somebody else made or wrote
 * is left as it is, and noted. Where nothing is mounted on the directory f->place there is nothing
 * to do, so that who has lost the reply may ask again by the mount point. *ret has in `id` the
 * record that is to be removed when all steps are through; empty: there is none. 0: a plan; 1:
 * refused; negative errno. */
int plan_remove(const Facts *f, const char *name, const Plan *records, size_t n_records, Plan *ret,
                Refusal *ret_refusal);
