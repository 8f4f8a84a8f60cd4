/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and stops services. The result is an exit status as that of the Python agent's scripts: 1
 * wrong use or no such service, 10 no hook, otherwise the hook's or the unit's. What failed has
 * been logged. */
#pragma once

#include "dcm-service/directory.h"

#define STATUS_FAILED 1
#define STATUS_NO_HOOK 10

int service_start(const Services *s, const char *id);
/* Writes what the hook has written to standard output and error. */
int service_stop(const Services *s, const char *id);
