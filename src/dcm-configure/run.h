/* SPDX-License-Identifier: Apache-2.0 */
/* The script runs in a unit of its own: a job has a mount namespace, in which what it mounts could
 * not be seen by others. The unit ends with the job. */
#pragma once

#include "dcm-configure/console.h"
#include "dcm-configure/place.h"
#include "unit/program.h"

/* Runs the script of the plan; `object` is the file that is its last argument, NULL: none. 0: *ret
 * has what it wrote and its status. A negative errno: it could not be run, which has been logged.
 */
int run_script(const ConfigurePlan *plan, const Place *place, const char *object, Console *console,
               ProgramResult *ret);

/* Downloads one of the plan's objects. -EIO: it cannot be had; this has been logged. */
int run_download(const ConfigurePlan *plan, const ConfigureObject *object, const char *path);
