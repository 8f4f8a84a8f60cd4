/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-metrics/exposition.h"

/* What the kernel counts, read now, below `root`. What it does not tell is left out. */
int machine_expose(Exposition *x, const char *root);
