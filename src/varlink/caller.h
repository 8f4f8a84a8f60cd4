/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the unit of the process at the other end of a socket. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

/* `unit` is NULL after an error. -ENXIO: the process belongs to no unit; -ESRCH: it has exited
 * meanwhile, so that its number proves nothing; another errno: systemd did not answer. */
typedef void (*CallerCallback)(int error, const char *unit, void *userdata);

typedef struct Caller Caller;

/* Queries systemd; the process must wait for the result. `pid_fd` refers to the same process, and
 * must stay open; if it is a negative errno because the process has exited, that is returned. */
int caller_new(sd_bus *bus, pid_t pid, int pid_fd, CallerCallback callback, void *userdata,
               Caller **ret);
Caller *caller_free(Caller *c);
