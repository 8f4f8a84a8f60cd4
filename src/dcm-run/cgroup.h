/* SPDX-License-Identifier: Apache-2.0 */
/* The unit's own control group (cgroups(7), version 2): its other processes, and kills for lack of
 * memory. */
#pragma once

#include <stdint.h>

/* Opens the group's directory; -1: not found. */
int cgroup_open(void);

/* Number of processes besides this one; 0 if unknown. */
uint64_t cgroup_count_others(int cgroup_fd);
/* Number of processes that the out-of-memory killer has killed in it; 0 if unknown. */
uint64_t cgroup_count_oom_kills(int cgroup_fd);
