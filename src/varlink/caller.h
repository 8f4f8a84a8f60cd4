/* SPDX-License-Identifier: Apache-2.0 */
/* Which unit a process on the other end of a socket belongs to. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

/* `unit` is NULL after an error. -ENXIO: it belongs to none; -ESRCH: it has ended meanwhile, so
 * that its number says nothing; another errno: systemd did not say. */
typedef void (*CallerCallback)(int error, const char *unit, void *userdata);

typedef struct Caller Caller;

/* Asks systemd; the process must wait for it. `pid_fd` is the same process, or a negative errno if
 * there is none any more, which is returned; it must stay open. */
int caller_new(sd_bus *bus, pid_t pid, int pid_fd, CallerCallback callback, void *userdata,
               Caller **ret);
Caller *caller_free(Caller *c);
