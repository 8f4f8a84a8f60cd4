/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines of ours in fstab(5) and crypttab(5) say. */
#pragma once

#include "volume/request.h"

/* `noauto`: it cannot be unlocked at boot, and is not waited for then. The caller frees. */
int lines_fstab_options(const VolumeRequest *q, bool noauto, char **ret);

const char *lines_crypttab_options(bool unlock_at_boot) _const_;
