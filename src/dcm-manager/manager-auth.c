/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the facts for the rule in dcm-manager/auth.h, and carries out its verdict: an agent is
 * told it after the commit of what belongs to it. */
#include "dcm-manager/manager-auth.h"

#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "dcm-manager/auth.h"
#include "dcm-manager/manager-door.h"
#include "dcm-manager/manager-enrolment.h"
#include "dcm-manager/manager-messages.h"

static void refuse(Peer *p, int code, const char *text) {
    log_info("%s: refused with %d: %s", session_peer(p->session), code, text);
    session_refuse(p->session, code, text);
}

static void refuse_for_now(Peer *p, int error) {
    const char *why = strerror(-error), *said = "the manager cannot store this agent now";

    switch (error) {
    case -EDQUOT:
        why = "there is no room for more like it; raise LimitNOFILE= of dcm-manager.service";
        said = "the manager has no room for more agents now";
        break;
    case -EUSERS:
        why = "too many agents are known; 'dcm-manager forget' makes room";
        said = "the manager has no room for more agents now";
        break;
    case -ESHUTDOWN:
        why = said = "the manager stops or is being drained";
        break;
    default:
        p->manager->store_failed_usec = now_usec(CLOCK_BOOTTIME);
    }
    (void)log_error_errno(error, "%s: an agent cannot be accepted now: %s",
                          session_peer(p->session), why);
    session_refuse(p->session, 503, said);
}

static void take_over(Peer *p, Peer *older) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    bool soon = now < older->takeovers_usec + TAKEOVERS_USEC;

    p->takeovers_usec = soon ? older->takeovers_usec : now;
    p->n_takeovers = soon ? older->n_takeovers + 1 : 1;
    older->is_replaced = true;
    session_close(older->session, CLOSE_POLICY, "replaced by a newer connection");
}

/* Makes the peer the agent's connection, and closes an older one. */
static int take_in(Peer *p, const LedgerAgent *a) {
    Manager *m = p->manager;
    Peer *older = peer_find(m, a->id);
    int r;

    offer_keep_addresses(&p->offer);
    if (older)
        take_over(p, older);
    TRY(session_accept(p->session, a->id, a->server_id, a->name));
    TRY(peer_adopt(p, a->id));
    p->since = (int64_t)now_usec(CLOCK_REALTIME);
    peer_enter(p, PEER_ACCEPTED);
    if (!a->is_used)
        peer_join_group(p, GUEST_UNUSED);
    door_update(m);
    (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_AGENT_ID(p->agent)),
                     "%s (%s) is connected from %s", p->agent, a->name, session_peer(p->session));
    m->counters.n_connected++;
    peers_count_changed(m);
    r = peer_start_delivery(p);
    if (r < 0) {
        (void)log_error_errno(r, "Requests for %s cannot be sent: %m", a->id);
        session_close(p->session, CLOSE_TRY_LATER, "requests cannot be read");
    } else if (m->observer.on_agent)
        m->observer.on_agent(p->agent, m->userdata);
    return 0;
}

typedef enum AdmissionKind {
    ADMISSION_KNOWN,
    ADMISSION_NEW,
    ADMISSION_STALE, /* it is told to make a token of its own */
} AdmissionKind;

/* A verdict that waits for the commit. */
typedef struct Admission {
    LedgerPromise promise;
    Manager *manager;
    Peer *peer;        /* NULL: it has left */
    const Peer *older; /* the agent's connection at the verdict; may have been freed */
    AdmissionKind kind;
    char *from;      /* of a new agent */
    unsigned n_bans; /* of the manager at the verdict */
    LedgerAgent agent;
} Admission;

static void admission_free(Admission *a) {
    ledger_agent_done(&a->agent);
    free(a->from);
    free(a);
}
DEFINE_CLEANUP(Admission *, admission_free)

static void decide(Peer *p);

static void finish(Peer *p, const Admission *a, int error) {
    Peer *present = peer_find(p->manager, a->agent.id);
    int r = error;

    /* it has come meanwhile, or was perhaps taken back, so judge again */
    if (r >= 0 && ((present && present != a->older) || a->n_bans != p->manager->n_bans)) {
        decide(p);
        return;
    }
    if (r >= 0)
        r = p->manager->is_stopping || p->manager->is_draining ? -ESHUTDOWN : take_in(p, &a->agent);
    if (r >= 0)
        return;
    if (error >= 0)
        (void)ledger_note_disconnected(p->manager->store, a->agent.id);
    refuse_for_now(p, r);
    /* the answer may have been sent already */
    session_close(p->session, CLOSE_TRY_LATER, NULL);
}

static void note_registered(const Admission *a) {
    a->manager->counters.n_registered++;
    (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_AGENT_ID(a->agent.id)), "New agent %s from %s",
                     a->agent.id, a->from);
}

static void on_admitted(LedgerPromise *promise, int error) {
    _cleanup_(admission_freep) Admission *a = (Admission *)promise;
    const bool is_stale = a->kind == ADMISSION_STALE;
    Peer *p = a->peer;

    if (p)
        p->admission = NULL;
    if (error >= 0 && a->kind == ADMISSION_NEW)
        note_registered(a);
    if (p && p->state == PEER_SHAKING && is_stale)
        refuse(p, 409, "the token belongs to another server");
    else if (p && p->state == PEER_SHAKING)
        finish(p, a, error);
    else if (error >= 0 && !is_stale && !peer_find(a->manager, a->agent.id))
        (void)ledger_note_disconnected(a->manager->store, a->agent.id);
}

/* Takes ownership of what is in `agent`. */
static int await_commit(Peer *p, LedgerAgent *agent, AdmissionKind kind) {
    _cleanup_free_ char *from = strdup(session_peer(p->session));
    Admission *a = calloc(1, sizeof(*a));

    if (!a || !from) {
        free(a);
        return -ENOMEM;
    }
    *a = (Admission){
        .promise.done = on_admitted,
        .manager = p->manager,
        .peer = p,
        .older = peer_find(p->manager, agent->id),
        .kind = kind,
        .from = TAKE_PTR(from),
        .n_bans = p->manager->n_bans,
        .agent = *agent,
    };
    *agent = (LedgerAgent){};
    p->admission = &a->peer;
    ledger_promise(p->manager->store, &a->promise);
    return 0;
}

static void admit(Peer *p, LedgerAgent *a, AdmissionKind kind) {
    int r;

    r = ledger_update_agent(p->manager->store, a->id, &p->offer);
    if (r >= 0)
        r = await_commit(p, a, kind);
    if (r < 0)
        refuse_for_now(p, r);
}

static void admit_known(Peer *p, LedgerAgent *a) {
    int r;

    if (a->is_revoked) {
        refuse(p, 401, "an operator has revoked this agent");
        return;
    }
    r = door_make_room(p, a);
    if (r < 0)
        refuse_for_now(p, r);
    else
        admit(p, a, ADMISSION_KNOWN);
}

/* Before anything is stored. */
static void slow_down(Peer *p) {
    Manager *m = p->manager;
    unsigned missed;

    if (ratelimit_below(&m->slowed, &missed))
        log_warning("%s: new agents come faster than --new-agents-per-sec allows; they come back "
                    "later (%u more were not logged)",
                    session_peer(p->session), missed);
    session_refuse(p->session, 503, "too many new agents come at once");
}

static void admit_new(Peer *p, bool claims_id, const char *renewed_id) {
    _cleanup_(ledger_enrolment_done) LedgerEnrolment token = {};
    _cleanup_(ledger_agent_done) LedgerAgent a = {};
    Manager *m = p->manager;
    const char *why = NULL;
    int r;

    r = enrolment_judge(p, claims_id, &token, &why);
    if (r >= 0 && why) {
        session_refuse(p->session, 401, why);
        return;
    }
    if (r >= 0)
        r = enrolment_take_pace(m);
    if (r == NEW_AGENTS_TOO_FAST) {
        slow_down(p);
        return;
    }
    if (r >= 0)
        r = door_make_room(p, NULL);
    if (r >= 0)
        r = enrolment_register(m, &p->offer, token.id ? &token : NULL, &a);
    if (r < 0) {
        refuse_for_now(p, r);
        return;
    }
    if (renewed_id)
        (void)ledger_note_stale(m->store, renewed_id, -1);
    admit(p, &a, ADMISSION_NEW);
}

static void refuse_stale(Peer *p, LedgerAgent *owner) {
    (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_AGENT_ID(owner->id)),
                     "%s offers the token of %s, which is another server: is one a copy of the "
                     "other?",
                     session_peer(p->session), owner->id);
    (void)ledger_note_stale(p->manager->store, owner->id, 1);
    if (await_commit(p, owner, ADMISSION_STALE) < 0)
        refuse_for_now(p, -ENOMEM);
}

/* Any bytes on the older connection since the ping prove that it lives. */
static int on_probed(sd_event_source *source, uint64_t usec, void *userdata) {
    _cleanup_(ledger_agent_done) LedgerAgent owner = {};
    Peer *p = userdata, *older = p->older;
    bool alive = older && older->state == PEER_ACCEPTED &&
                 session_last_received_usec(older->session) >= p->probed_usec;
    int r;

    peer_stop_probe(p);
    r = ledger_find_agent_by_token(p->manager->store, p->offer.token_sha256, &owner);
    if (r == -ENOENT) /* an operator has taken it away meanwhile */
        decide(p);
    else if (r < 0)
        refuse_for_now(p, r);
    else if (alive)
        refuse_stale(p, &owner);
    else
        admit_known(p, &owner);
    return 0;
}

static void begin_probe(Peer *p, Peer *older) {
    int r;

    assert(older); /* authenticate() demands a probe only for a connected agent */
    p->older = older;
    p->is_probing = true;
    p->manager->n_probing++;
    p->probed_usec = now_usec(CLOCK_BOOTTIME);
    (void)session_ping(older->session);
    r = sd_event_add_time(p->manager->event, &p->probe, CLOCK_BOOTTIME, p->probed_usec + PROBE_USEC,
                          0, on_probed, p);
    if (r < 0)
        refuse_for_now(p, r);
}

/* for callers to whom -ENOENT is an answer */
static int find(int r) {
    return r == -ENOENT ? 0 : r;
}

static void decide(Peer *p) {
    _cleanup_(ledger_agent_done) LedgerAgent owner = {}, named = {};
    const Offer *offer = &p->offer;
    Manager *m = p->manager;
    Peer *connected;
    AuthFacts facts;
    int r;

    r = find(ledger_find_agent_by_token(m->store, offer->token_sha256, &owner));
    if (r >= 0 && offer->agent_id)
        r = find(ledger_find_agent_by_id(m->store, offer->agent_id, &named));
    if (r < 0 || m->is_stopping) {
        refuse_for_now(p, r < 0 ? r : -ESHUTDOWN);
        return;
    }
    if (owner.is_revoked) {
        admit_known(p, &owner);
        return;
    }
    connected = owner.id ? peer_find(m, owner.id) : NULL;
    facts = (AuthFacts){
        .offer = offer,
        .owner_id = owner.id,
        .owner_claimed = owner.claimed,
        .owner_instance = owner.vm_instance,
        .id_exists = named.id,
        .id_may_renew = named.stale_told > 0,
        .connected = connected ? &connected->offer : NULL,
        .is_contested = connected && connected->n_takeovers >= TAKEOVERS_MAX &&
                        now_usec(CLOCK_BOOTTIME) < connected->takeovers_usec + TAKEOVERS_USEC,
    };
    switch (authenticate(&facts)) {
    case AUTH_KNOWN:
        admit_known(p, &owner);
        break;
    case AUTH_NEW:
        admit_new(p, false, named.id);
        break;
    case AUTH_PROBE:
        begin_probe(p, connected);
        break;
    case AUTH_STALE:
        refuse_stale(p, &owner);
        break;
    default:
        /* of a machine that has lost its token, perhaps: an operator may give it its old place, and
         * by an enrolment token it gets a new one */
        if (!owner.id && (m->options.enrolment == ENROLMENT_APPROVE || offer->enrolment_sha256[0]))
            admit_new(p, true, NULL);
        else
            refuse(p, 401, "the token does not belong to this agent id");
    }
}

void peer_take_offer(Peer *p, const Offer *offer) {
    p->offer = *offer;
    (void)json_object_get(p->offer.json);
    decide(p);
}
