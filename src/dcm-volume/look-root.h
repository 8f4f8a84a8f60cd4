/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices the running system needs, from facts alone. */
#pragma once

#include "volume/facts.h"

/* Sets Block.is_root: what /, /usr, /var and the boot loader's directories lie on, down to the
 * disks, and all partitions of these disks. */
void mark_root(Facts *f);
