/* SPDX-License-Identifier: Apache-2.0 */
/* The agent manager: connected agents, requests and their results. */
#pragma once

#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"
#include "dcm-manager/manager-setup.h"

/* Takes ownership of the store. */
int manager_new(sd_event *event, Ledger *store, const ManagerOptions *options, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free)

/* `observer` may be NULL: none. The manager copies it, but not the userdata. */
void manager_set_observer(Manager *m, const ManagerObserver *observer, void *userdata);
/* For new connections; takes a reference. NULL: without TLS. */
void manager_set_tls(Manager *m, TlsServer *tls);
/* From now on. */
void manager_set_enrolment(Manager *m, EnrolmentMode mode);
/* NULL: without TLS. */
const TlsServer *manager_get_tls(const Manager *m) _pure_;
/* Takes ownership of a listening socket; ret (may be NULL) receives its address. */
int manager_listen(Manager *m, int fd, char *ret, size_t size);
/* Stops accepting, and closes all connections (1001); the last on_count() comes when the manager is
 * idle. */
void manager_stop(Manager *m);
/* Asks all agents to come back elsewhere or later, spread over that time, and takes no others; the
 * last on_count() comes when nobody is left. A repetition begins anew with those that are left. */
int manager_drain(Manager *m, uint64_t within_usec);
/* Why it takes no agents now; NULL: it takes them. */
const char *manager_unfit(const Manager *m);
/* Whether no connection is left. */
bool manager_is_idle(const Manager *m) _pure_;

Ledger *manager_get_store(Manager *m) _pure_;
/* Start (CLOCK_REALTIME) and peer of the agent's connection; -ENOTCONN. */
int manager_get_connection(Manager *m, const char *agent, int64_t *ret_since,
                           const char **ret_peer);
/* How many agents can be connected at most. */
unsigned manager_get_room(const Manager *m) _pure_;
/* Any connected agent, or NULL. */
const char *manager_any_connected(Manager *m);

/* Stores a request, and sends it after the commit (ledger_promise()): it is only accepted then.
 * Submitting the same request under the same GUID again is no error; it
 * is sent again if the agent had refused it. -EEXIST: another request has the GUID; -EDQUOT: too
 * many open requests; others as in dcm-manager/ledger.h. */
int manager_submit(Manager *m, const char *agent, const char *guid, const char *payload);
/* Queries a request at the agent (MESSAGE_STATUS), or cancels it (MESSAGE_CANCEL). -ENOENT,
 * -ENOTCONN; -EAGAIN: the request was not sent to the agent yet. Cancels a request that was never
 * sent without the agent. */
int manager_ask(Manager *m, MessageType type, const char *guid);
