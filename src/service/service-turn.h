/* SPDX-License-Identifier: Apache-2.0 */
/* Which request may change the directory of a service, or its settings: one at a time, whichever
 * program does it. The kernel releases a turn with the descriptor or the process. */
#pragma once

#include "basic/macro.h"

#define SERVICES_RUN "/run/dcm-services" /* locks and marks, until the next boot */

/* What is no id of a service is a turn of its own. `who` is the command, for people. -EBUSY:
 * another one is at it; *ret_holder says which, or is NULL where that is not known; the caller
 * frees. */
int service_turn_take(const char *id, const char *who, int *ret_fd, char **ret_holder);

/* For other turns about a service: its file, which stays. */
int service_turn_open(const char *id, const char *suffix, int *ret_fd);
