/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proto/exposition.h"

/* Current counters of the kernel, read below `root`. Leaves out missing ones. */
int machine_expose(Exposition *x, const char *root);
