/* SPDX-License-Identifier: Apache-2.0 */
/* A trigger of pressure stall information: the kernel tells when tasks have waited for so much of a
 * window (Documentation/accounting/psi.rst). */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct PressureTrigger PressureTrigger;

/* `resource` is cpu, memory or io; `full`: all tasks waited, not some. At most one call for each
 * window. Without privilege the kernel takes windows that are multiples of 2 s, from Linux 6.5 on;
 * -EPERM, -EACCES, -EINVAL, -EROFS, -ENOENT: there are no triggers for us. */
int pressure_trigger_new(sd_event *event, const char *resource, bool full, uint64_t stall_usec,
                         uint64_t window_usec, void (*on_stall)(void *userdata), void *userdata,
                         PressureTrigger **ret);
PressureTrigger *pressure_trigger_free(PressureTrigger *t);
DEFINE_CLEANUP(PressureTrigger *, pressure_trigger_free)
