/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and stops services. The result is an exit status as that of the Python agent's scripts: 1
 * wrong use or no such service, 10 no hook, otherwise the hook's or the unit's. What failed has
 * been logged. */
#pragma once

#include "dcm-service/directory.h"

#define STATUS_FAILED 1
#define STATUS_NO_HOOK 10

/* Waits while another one starts it, or install_service is about to replace it. */
int service_start(const Services *s, const char *id);
/* Writes what the hook has written to standard output and error. */
int service_stop(const Services *s, const char *id);

/* Stops a service that is running, so that its directory can be replaced: by its hook or its unit.
 * -EBUSY: it does not stop, and nothing else was changed. A negative errno has been logged. */
int service_stop_to_replace(const Services *s, const char *id, bool *ret_has_stopped);
