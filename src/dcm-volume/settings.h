/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-volume takes from agent.conf(5). */
#pragma once

#include "basic/macro.h"

/* `mountpoint` of [storage]: where a volume is mounted if the request does not say. The caller
 * frees. -EINVAL: not an absolute path; it has been logged. */
int settings_mount_point(char **ret);
