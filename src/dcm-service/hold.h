/* SPDX-License-Identifier: Apache-2.0 */
/* The main process of dcm-services-lock.service. */
#pragma once

#include "dcm-service/directory.h"

/* Has the hooks of all services lock, freezes their file systems if wished, tells systemd, and
 * waits for SIGTERM; then undoes all. An exit status. */
int hold_services(const Services *s, uint64_t timeout_msec, bool file_systems);

/* After the end of that process, in whatever way. */
int hold_clean(void);
