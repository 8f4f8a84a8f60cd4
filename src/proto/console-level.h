/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of the lines for the manager's console, as the LOG message names them. */
#pragma once

#include "basic/macro.h"

/* The name for a level of syslog(3) (static). */
const char *console_level_name(int level);
/* The level of syslog(3) that a name means, whatever its case; -EINVAL: it is none. */
int console_level_find(const char *name);
