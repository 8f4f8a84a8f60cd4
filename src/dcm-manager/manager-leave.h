/* SPDX-License-Identifier: Apache-2.0 */
/* What ends when an agent leaves, by an operator's order or by its own. */
#pragma once

#include "dcm-manager/manager-peers.h"

/* Those on their way in are judged again. */
void manager_end_connection(Manager *m, const char *agent, const char *why);
/* The open requests that the agent may have begun, or all, end as refused. */
int manager_end_requests(Manager *m, const char *agent, bool all, const char *why);
/* The agent's UNREGISTER: it counts as revoked from now on, its open requests end, and it gets its
 * answer when all that is stored. */
void manager_unregister(Peer *p, const Message *message);
