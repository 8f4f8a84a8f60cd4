/* SPDX-License-Identifier: Apache-2.0 */
/* What operators take back. The connection ends at once, before the commit: if that fails, the
 * agent comes again. */
#include "dcm-manager/manager-bans.h"

#include "basic/log.h"
#include "basic/strv.h"
#include "dcm-manager/ledger-waiting.h"
#include "dcm-manager/manager-messages.h"

static void end_connection(Manager *m, const char *agent, const char *why) {
    Peer *p = peer_find(m, agent);

    m->n_bans++; /* those on their way in are judged again */
    if (p)
        session_close(p->session, CLOSE_POLICY, why);
}

/* Those who wait for a request are told after the commit. */
typedef struct Ended {
    LedgerPromise promise;
    Manager *manager;
    char *guid;
} Ended;

static void on_ended(LedgerPromise *promise, int error) {
    Ended *e = (Ended *)promise;

    if (error >= 0)
        request_changed(e->manager, e->guid, ORDER_NACKED);
    free(e->guid);
    free(e);
}

static int end_request(Manager *m, const char *guid, const char *why) {
    Ended *e = calloc(1, sizeof(*e));
    int r = e ? free_and_strdup(&e->guid, guid) : -ENOMEM;

    if (r >= 0)
        r = ledger_set_request(m->store, guid, ORDER_NACKED, NULL, why);
    if (r < 0) {
        free(e ? e->guid : NULL);
        free(e);
        return r;
    }
    e->promise.done = on_ended;
    e->manager = m;
    ledger_promise(m->store, &e->promise);
    return 0;
}

/* Those that the agent may have begun, or all. */
static int end_open_requests(Manager *m, const char *agent, bool all, const char *why) {
    _cleanup_(strv_freep) char **open = NULL, **acked = NULL;

    TRY(ledger_list_acked_requests(m->store, agent, &acked));
    TRY(ledger_list_open_requests(m->store, agent, &open));
    for (char **guid = acked; guid && *guid; guid++)
        TRY(end_request(m, *guid, why));
    for (char **guid = open; guid && *guid; guid++) {
        _cleanup_(ledger_request_done) LedgerRequest request = {};

        TRY(ledger_get_request(m->store, *guid, &request));
        if (all || request.state != ORDER_QUEUED)
            TRY(end_request(m, *guid, why));
    }
    return 0;
}

int manager_revoke(Manager *m, const char *agent) {
    TRY(ledger_revoke_agent(m->store, agent));
    end_connection(m, agent, "an operator has revoked this agent");
    log_notice("%s is revoked", agent);
    return 0;
}

int manager_forget(Manager *m, const char *agent) {
    TRY(end_open_requests(m, agent, true, "the agent was forgotten; perhaps it ran"));
    TRY(ledger_remove_agent(m->store, agent));
    end_connection(m, agent, "an operator has made the manager forget this agent");
    log_notice("%s is forgotten", agent);
    return 0;
}

int manager_replace(Manager *m, const char *agent, const char *newer, bool is_waiting) {
    static const char why[] = "the machine was replaced by a new one; perhaps it ran before";

    if (peer_find(m, agent))
        return -EBUSY;
    TRY(end_open_requests(m, agent, false, why));
    if (!is_waiting)
        TRY(end_open_requests(m, newer, true, "the agent became another one; perhaps it ran"));
    TRY(ledger_replace_agent(m->store, agent, newer, is_waiting));
    end_connection(m, newer, "an operator has given this agent another id");
    log_notice("%s is now the machine that was %s", agent, newer);
    return 0;
}
