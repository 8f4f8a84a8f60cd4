/* SPDX-License-Identifier: Apache-2.0 */
/* The reply object of list_devices. */
#pragma once

#include "volume/facts.h"

/* An array: mounted file systems in the order of their mounting, then devices that hold none, then
 * file systems that fstab wants and that are not mounted. `mount_point`: of [storage] in
 * agent.conf, where a file system is EPHEMERAL. */
int list_devices(const Facts *f, const char *mount_point, struct json_object **ret);
