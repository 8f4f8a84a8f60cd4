/* SPDX-License-Identifier: Apache-2.0 */
/* Which request may do what with a service. The kernel releases a turn with the descriptor or the
 * process. */
#pragma once

#include "basic/macro.h"

/* The directory is replaced, or its settings are: one request at a time, also of dcm-backup. `who`
 * is the command, for the others. -EBUSY: another one is at it; that, and any other failure, has
 * been logged. What is no id is a turn of its own. */
int turn_take(const char *id, const char *who, int *ret_fd);

/* The service starts, or is stopped to be replaced: waits for the other one. */
int turn_wait(const char *id, int *ret_fd);
