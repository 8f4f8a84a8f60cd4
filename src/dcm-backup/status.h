/* SPDX-License-Identifier: Apache-2.0 */
/* The file with the state of all series: backup/series-state.h. */
#pragma once

#include "basic/macro.h"

/* Makes it of the catalogue and the schedules. A run that was killed counts as failed then. Logs an
 * error. */
int status_write(void);
