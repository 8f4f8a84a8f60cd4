/* SPDX-License-Identifier: Apache-2.0 */
/* From the names of devices, as clouds and people write them, to block devices. */
#pragma once

#include "volume/plan.h"

/* /dev/X, X, disk/by-..., the name at attachment (Amazon: sdf, xvdf), an id of a volume (vol-...),
 * Google's name, Azure's lunN, and numbers: of Azure's lun, or CloudStack's. A path of a multipath
 * device stands for that device. Returns 0, 1 (refused: "missing", "ambiguous") or a negative
 * errno; *ret belongs to `f`. */
int resolve_device(const Facts *f, const char *name, const Block **ret, Refusal *ret_refusal);

/* All of them; refuses two names of one device, and devices that lie on each other. `ret` has room
 * for all. may_be_absent() (may be NULL): whether a name is left out if there is no such device;
 * its place in `ret` is NULL then. */
int resolve_devices(const Facts *f, char *const *names,
                    bool (*may_be_absent)(const char *name, void *userdata), void *userdata,
                    const Block **ret, Refusal *ret_refusal);
