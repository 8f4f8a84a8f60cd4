/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that use files which an update has replaced, and the services that they are of. */
#pragma once

#include "basic/macro.h"

/* Whether a line of /proc/PID/maps is code of a file that was deleted or replaced: a program or a
 * library, but none in /tmp, /dev, /memfd or the like. */
bool process_line_is_stale(const char *line) _pure_;

/* The service in the text of /proc/PID/cgroup, "NAME.service" of the system; "" if there is none.
 * The caller frees. */
int process_find_service(const char *cgroup, char **ret);

/* Services that no update should restart: the agent and its jobs, the system bus, systemd's own,
 * and sessions. */
bool process_service_is_kept(const char *service) _pure_;
