/* SPDX-License-Identifier: Apache-2.0 */
/* The state of all series in one file, which the agent reads: for its statistic `backups`, and for
 * D-Bus. It has no secrets, and anybody may read it. */
#pragma once

#include "basic/macro.h"

#define STATUS_FILE "/var/lib/dcm-backups/status.json"

/* Makes it of the catalogue and the schedules. A run that was killed counts as failed then. Logs an
 * error. */
int status_write(void);
