/* SPDX-License-Identifier: Apache-2.0 */
/* The main process of dcm-services-lock.service. */
#pragma once

#include <sys/types.h>

#include "dcm-service/directory.h"

typedef struct HoldOrder {
    uint64_t timeout_msec; /* until all are locked */
    bool file_systems;     /* frozen as well */
    pid_t requester;       /* if it ends before all are locked, nobody knows of the lock: undone */
} HoldOrder;

/* Has the hooks of all services lock, freezes their file systems if wished, tells systemd, and
 * waits for SIGTERM; then undoes all. An exit status. */
int hold_services(const Services *s, const HoldOrder *o);

/* After the end of that process, in whatever way. */
int hold_clean(void);
