/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for mount_volume: facts, a request, and the records of earlier runs go in; a list of
 * steps, or a refusal, comes out. It looks at nothing but its arguments. */
#pragma once

#include "volume/planner.h"

/* `records`: of all requests; with the one of this request the plan goes on where it was. `uuid`
 * makes random UUIDs in text form, 36 characters: 0 or a negative errno; a test passes its own.
 *
 * 0: *ret is a plan; no step is left to do if all is as it should be. 1: refused, *ret_refusal says
 * why. Negative errno; -EINVAL: the facts are about another mount point. */
int plan_mount(const Facts *f, const VolumeRequest *q, const Plan *records, size_t n_records,
               UuidFunction uuid, void *userdata, Plan *ret, Refusal *ret_refusal);
