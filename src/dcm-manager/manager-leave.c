/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/manager-leave.h"

#include "basic/log.h"
#include "basic/strv.h"
#include "dcm-manager/manager-messages.h"

void manager_end_connection(Manager *m, const char *agent, const char *why) {
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

int manager_end_requests(Manager *m, const char *agent, bool all, const char *why) {
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

/* --- the agent's own wish ------------------------------------------------------------------- */

typedef struct Leave {
    LedgerPromise promise;
    Manager *manager;
    char *agent, *guid;
} Leave;

static void leave_free(Leave *l) {
    free(l->agent);
    free(l->guid);
    free(l);
}
DEFINE_CLEANUP(Leave *, leave_free)

static void on_left(LedgerPromise *promise, int error) {
    _cleanup_(leave_freep) Leave *l = (Leave *)promise;
    _cleanup_json_ struct json_object *message = NULL;
    Peer *p = peer_find(l->manager, l->agent);

    if (error < 0) { /* the agent goes on without an answer */
        (void)log_error_errno(error, "That %s has left cannot be stored: %m", l->agent);
        return;
    }
    log_notice("%s has left: its owner has unregistered it", l->agent);
    if (p && message_new(MESSAGE_UNREGISTER_ACK, l->guid, l->guid, NULL, NULL, &message) >= 0)
        (void)session_send(p->session, message);
    manager_end_connection(l->manager, l->agent, "this agent is unregistered");
}

static int leave(Peer *p, const char *guid) {
    _cleanup_(leave_freep) Leave *l = calloc(1, sizeof(*l));
    Manager *m = p->manager;

    if (!l)
        return -ENOMEM;
    l->promise.done = on_left;
    l->manager = m;
    TRY(free_and_strdup(&l->agent, p->agent));
    TRY(free_and_strdup(&l->guid, guid));
    TRY(manager_end_requests(m, p->agent, true, "the agent was unregistered; perhaps it ran"));
    /* not for good: strangers that come and leave would fill the database */
    TRY(ledger_revoke_agent(m->store, p->agent, false));
    ledger_promise(m->store, &TAKE_PTR(l)->promise);
    return 0;
}

void manager_unregister(Peer *p, const Message *message) {
    const int r = leave(p, message->request_id);

    if (r < 0)
        (void)log_error_errno(r, "That %s has left cannot be stored: %m", p->agent);
}
