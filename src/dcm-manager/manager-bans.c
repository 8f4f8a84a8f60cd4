/* SPDX-License-Identifier: Apache-2.0 */
/* What operators take back. The connection ends at once, before the commit: if that fails, the
 * agent comes again. */
#include "dcm-manager/manager-bans.h"

#include "basic/log.h"
#include "dcm-manager/ledger-waiting.h"
#include "dcm-manager/manager-leave.h"

int manager_revoke(Manager *m, const char *agent) {
    TRY(ledger_revoke_agent(m->store, agent, true));
    manager_end_connection(m, agent, "an operator has revoked this agent");
    log_notice("%s is revoked", agent);
    return 0;
}

int manager_forget(Manager *m, const char *agent) {
    TRY(manager_end_requests(m, agent, true, "the agent was forgotten; perhaps it ran"));
    TRY(ledger_remove_agent(m->store, agent));
    manager_end_connection(m, agent, "an operator has made the manager forget this agent");
    log_notice("%s is forgotten", agent);
    return 0;
}

int manager_replace(Manager *m, const char *agent, const char *newer, bool is_waiting) {
    static const char why[] = "the machine was replaced by a new one; perhaps it ran before";

    if (peer_find(m, agent))
        return -EBUSY;
    TRY(manager_end_requests(m, agent, false, why));
    if (!is_waiting)
        TRY(manager_end_requests(m, newer, true, "the agent became another one; perhaps it ran"));
    TRY(ledger_replace_agent(m->store, agent, newer, is_waiting));
    manager_end_connection(m, newer, "an operator has given this agent another id");
    log_notice("%s is now the machine that was %s", agent, newer);
    return 0;
}
