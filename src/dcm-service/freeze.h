/* SPDX-License-Identifier: Apache-2.0 */
/* Freezes the file systems of services. What is frozen is in a list in SERVICES_RUN before it is
 * frozen, so that it can be thawed whatever becomes of this process. */
#pragma once

#include "dcm-service/directory.h"

/* Freezes the file systems on which the services lie, each once. -EBUSY: one of them has files of
 * the system or of the agent, which would then stand still, too, or is frozen by somebody else;
 * another negative errno: one cannot be frozen. It has been logged, and none is frozen. */
int freeze_services(const Services *s, char *const *ids);

/* Thaws what the list has, and removes it. Returns 0 where nothing is frozen. */
int freeze_end(void);
