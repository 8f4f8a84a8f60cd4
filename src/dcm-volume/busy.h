/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses a mounted file system: what fuser(1) shows, and what systemd would stop with it. */
#pragma once

#include "basic/macro.h"

/* Active services that need the mount unit, and are stopped when it is. Ends with NULL, or NULL:
 * there are none. */
int busy_find_services(const char *mount_unit, char ***ret);

/* Processes with an open file, a working directory, a program or a mapped file there, as
 * "NAME (PID)", with commas; those of the services are left out. NULL: there are none. */
int busy_find_processes(const char *mount_point, char *const *services, char **ret);
