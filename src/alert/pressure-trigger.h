/* SPDX-License-Identifier: Apache-2.0 */
/* A trigger of pressure stall information: the kernel notifies when tasks have stalled for a given
 * part of a window (Documentation/accounting/psi.rst). */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct PressureTrigger PressureTrigger;

/* `resource` is cpu, memory or io; `full`: all tasks stalled, not some. At most one call per
 * window. Unprivileged triggers need Linux 6.5, and windows that are multiples of 2 s; -EPERM,
 * -EACCES, -EINVAL, -EROFS, -ENOENT: no triggers are available. */
int pressure_trigger_new(sd_event *event, const char *resource, bool full, uint64_t stall_usec,
                         uint64_t window_usec, void (*on_stall)(void *userdata), void *userdata,
                         PressureTrigger **ret);
PressureTrigger *pressure_trigger_free(PressureTrigger *t);
DEFINE_CLEANUP(PressureTrigger *, pressure_trigger_free)
