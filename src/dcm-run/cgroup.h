/* SPDX-License-Identifier: Apache-2.0 */
/* The unit's own control group (cgroups(7), version 2): what else runs in it, and whether the
 * kernel killed something in it for lack of memory. */
#pragma once

#include <stdint.h>

/* Opens the group's directory; -1: it cannot be found. */
int cgroup_open(void);

/* Processes besides this one; 0 where it is not known. */
uint64_t cgroup_count_others(int cgroup_fd);
/* How many processes the out-of-memory killer has ended there; 0 where it is not known. */
uint64_t cgroup_count_oom_kills(int cgroup_fd);
