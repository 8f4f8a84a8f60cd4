/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-manager/manager.h"

/* Take back what was accepted, and close its connection: a revoked agent is refused, one that was
 * forgotten may ask again. The open requests of the latter end. */
int manager_revoke(Manager *m, const char *agent);
int manager_forget(Manager *m, const char *agent);
/* `newer`, an agent or one that waits, becomes `agent`, which a machine had before it was installed
 * anew. What had been sent to it ends. -EBUSY: `agent` is connected. */
int manager_replace(Manager *m, const char *agent, const char *newer, bool is_waiting);
