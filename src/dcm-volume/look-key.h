/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are sealed for this machine. */
#pragma once

#include "volume/facts.h"

/* Fills `sealed`: the mappings whose key is in `directory`, or whose unit has our drop-in below
 * `units`: each of the two alone, too, as a cut may leave it. */
int look_sealed(Facts *f, const char *directory, const char *units);
