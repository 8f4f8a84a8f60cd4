/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that write to no device: key, lines, directory, mount. Returns 0, 1 (refused) or a
 * negative errno. */
#pragma once

#include "volume/planner.h"

int plan_upper(Planner *p);
