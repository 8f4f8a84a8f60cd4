/* SPDX-License-Identifier: Apache-2.0 */
/* The agent manager: who is connected, what was ordered, what came back. */
#pragma once

#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"
#include "dcm-manager/manager-setup.h"

/* Takes over the store. */
int manager_new(sd_event *event, Ledger *store, const ManagerOptions *options, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free)

/* NULL: none. The manager keeps a copy, not the userdata. */
void manager_set_observer(Manager *m, const ManagerObserver *observer, void *userdata);
/* For new connections; takes a reference. NULL: without TLS. */
void manager_set_tls(Manager *m, TlsServer *tls);
/* Takes over a listening socket; ret (may be NULL) says where it listens. */
int manager_listen(Manager *m, int fd, char *ret, size_t size);
/* Accepts no more and says good-bye (1001) to all; the last on_count() comes when it is idle. */
void manager_stop(Manager *m);
/* No connection is left. */
bool manager_is_idle(const Manager *m) _pure_;

Ledger *manager_get_store(Manager *m) _pure_;
/* The newest connection's begin, CLOCK_REALTIME, and peer; -ENOTCONN. */
int manager_get_connection(Manager *m, const char *agent, int64_t *ret_since,
                           const char **ret_peer);
/* Any one that is connected, NULL if none is. */
const char *manager_any_connected(Manager *m);

/* Stores and sends a request. The same request under the same GUID again is no error; it is sent
 * again if the agent had refused it. -EEXIST: the GUID is another request's; -EDQUOT: too many open
 * ones; others as in dcm-manager/ledger.h. */
int manager_submit(Manager *m, const char *agent, const char *guid, const char *payload);
/* Asks the agent about a request (MESSAGE_STATUS), or orders its end (MESSAGE_CANCEL). -ENOENT,
 * -ENOTCONN; -EAGAIN: the agent was not sent it yet. A request that was never sent is cancelled
 * here. */
int manager_ask(Manager *m, MessageType type, const char *guid);
