/* SPDX-License-Identifier: Apache-2.0 */
/* Which unit a process on the other end of a socket belongs to. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

/* `unit` is NULL after an error; -ESRCH: the process has ended meanwhile, so that its number says
 * nothing. */
typedef void (*CallerCallback)(int error, const char *unit, void *userdata);

typedef struct Caller Caller;

/* Asks systemd; the process that connected must wait for it. */
int caller_new(sd_bus *bus, int socket_fd, CallerCallback callback, void *userdata, Caller **ret);
Caller *caller_free(Caller *c);
