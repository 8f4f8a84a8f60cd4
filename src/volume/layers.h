/* SPDX-License-Identifier: Apache-2.0 */
/* What is there already: an array, a LUKS device, a file system, found and added to the plan, or
 * refused. Each returns 0, 1 (refused) or a negative errno; plan->more says that the next layer
 * cannot be seen before the steps so far have run. */
#pragma once

#include "volume/planner.h"

/* The array of the request's devices. `uuid`: which it has to be; NULL: any, but one. */
int plan_existing_array(Planner *p, const char *uuid);

/* LUKS on `raw`, if the request has a key, or it is open already. */
int plan_existing_luks(Planner *p, const char *uuid);

/* The file system on `top`. */
int plan_existing_file_system(Planner *p, const char *uuid);
