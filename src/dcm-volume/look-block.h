/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices as the kernel (sysfs) and udev (links) describe them; none is opened. */
#pragma once

#include "volume/facts.h"

/* Fills f->blocks, sorted by name. -E2BIG: there are more than BLOCKS_MAX. */
int look_blocks(Facts *f);
