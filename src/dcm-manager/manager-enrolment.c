/* SPDX-License-Identifier: Apache-2.0 */
/* All of these agents are strangers: what they make the manager store and log is bounded, and so is
 * how often they may guess an enrolment token. */
#include "dcm-manager/manager-enrolment.h"

#include <sys/random.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/sha256.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-manager/ledger-waiting.h"
#include "dcm-manager/random-letters.h"

#define ID_RANDOM_SIZE 7
#define ID_ATTEMPTS 8
#define SOURCE_SIZE (2 * PEER_ADDRESS_KEY_SIZE + 1)

/* Random, not counted: a manager that lost its database must not give an agent's old id to another
 * agent. */
static int generate_id(char *agent, char *server, size_t size) {
    char text[ID_RANDOM_SIZE + 1] = {};

    TRY(random_letters(text, ID_RANDOM_SIZE));
    (void)utf8_format(agent, size, "agent-%s", text);
    (void)utf8_format(server, size, "server-%s", text);
    return 0;
}

/* --- guesses ---------------------------------------------------------------------------------- */

static uint8_t *guesses_of(Guesses *g, const PeerAddress *address) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    char hex[SHA256_HEX_SIZE];
    Sha256 hash;

    if (g->begin_usec == 0 || now - g->begin_usec >= GUESSES_USEC) {
        memset(g, 0, sizeof(*g));
        g->begin_usec = now;
        if (getrandom(g->key, sizeof(g->key), GRND_NONBLOCK) != sizeof(g->key))
            memcpy(g->key, &now, sizeof(now)); /* then somebody may aim at another's counter */
    }
    sha256_init(&hash);
    sha256_update(&hash, g->key, sizeof(g->key));
    sha256_update(&hash, address->key, sizeof(address->key));
    sha256_final_hex(&hash, hex);
    hex[4] = 0;
    return &g->of[strtoul(hex, NULL, 16) % GUESSES_BUCKETS];
}

/* Who has not guessed wrong in this interval is always heard: strangers elsewhere lock nobody out.
 */
static bool may_guess(Peer *p) {
    Guesses *g = &p->manager->guesses;
    uint8_t n = *guesses_of(g, p->guest.address);

    return n < (g->n < GUESSES_MAX ? GUESSES_OF_ADDRESS_MAX : 1);
}

static void count_guess(Peer *p) {
    Guesses *g = &p->manager->guesses;
    uint8_t *n = guesses_of(g, p->guest.address);

    if (*n < UINT8_MAX)
        (*n)++;
    g->n++;
}

static void log_refusal(Peer *p, const char *why) {
    unsigned missed;

    if (ratelimit_below(&p->manager->guesses_said, &missed))
        log_warning("%s: refused: %s (%u more were not logged)", session_peer(p->session), why,
                    missed);
}

static const char *describe_fault(EnrolmentFault fault) {
    switch (fault) {
    case ENROLMENT_VALID:
        return NULL;
    case ENROLMENT_REVOKED:
        return "the enrolment token was revoked";
    case ENROLMENT_USED_UP:
        return "the enrolment token has been used up";
    case ENROLMENT_EXPIRED:
        return "the enrolment token has expired";
    default:
        return "the manager does not know the enrolment token";
    }
}

/* Sets *ret_fault unless the token is valid. */
static int check_token(Peer *p, LedgerEnrolment *ret, const char **ret_fault) {
    if (!may_guess(p)) {
        *ret_fault =
            "too many wrong enrolment tokens came from this address; none is looked at for "
            "a minute";
        return 0;
    }
    TRY(ledger_find_enrolment(p->manager->store, p->offer.enrolment_sha256, ret));
    *ret_fault = describe_fault(ret->fault);
    if (!*ret_fault)
        return 0;
    if (ret->fault == ENROLMENT_UNKNOWN) /* who has one that was valid once does not guess */
        count_guess(p);
    log_refusal(p, *ret_fault);
    ledger_enrolment_done(ret);
    return 0;
}

/* --- those that wait -------------------------------------------------------------------------- */

static void format_source(const PeerAddress *address, char ret[static SOURCE_SIZE]) {
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < PEER_ADDRESS_KEY_SIZE; i++) {
        ret[2 * i] = digits[address->key[i] >> 4];
        ret[2 * i + 1] = digits[address->key[i] & 15];
    }
    ret[2 * PEER_ADDRESS_KEY_SIZE] = 0;
}

static void say_waiting(Peer *p, const LedgerWaiting *w) {
    unsigned missed;

    if (ratelimit_below(&p->manager->waiting_said, &missed))
        (void)log_struct(
            LOG_NOTICE, 0, LOG_FIELDS(LOG_AGENT_ID(w->id)),
            "New agent from %s waits: 'dcm-manager accept %s' lets it in (%u more were "
            "not logged)",
            session_peer(p->session), w->id, missed);
}

static void say_evicted(Manager *m, unsigned n) {
    unsigned missed;

    if (n > 0 && ratelimit_below(&m->evicted_said, &missed))
        log_warning("More than %u agents wait for an operator: those of the address with the most "
                    "that were seen the longest ago are left out until they come again",
                    WAITING_MAX);
}

int enrolment_take_pace(Manager *m) {
    return pace_take(&m->new_agents, now_usec(CLOCK_BOOTTIME)) ? 0 : NEW_AGENTS_TOO_FAST;
}

static int add_waiting(Peer *p, const char *source, LedgerWaiting *ret) {
    char server[sizeof(ret->id)];
    unsigned n_evicted = 0;
    int r = -EEXIST;

    TRY(enrolment_take_pace(p->manager));
    for (int i = 0; i < ID_ATTEMPTS && r == -EEXIST; i++) {
        r = generate_id(ret->id, server, sizeof(ret->id));
        if (r >= 0)
            r = ledger_add_waiting(p->manager->store, ret->id, &p->offer, source,
                                   session_peer(p->session), &n_evicted);
        say_evicted(p->manager, n_evicted);
    }
    if (r >= 0)
        say_waiting(p, ret);
    return r;
}

static int put_on_list(Peer *p, const LedgerWaiting *known, LedgerWaiting *ret) {
    char source[SOURCE_SIZE];

    format_source(p->guest.address, source);
    if (!known)
        return add_waiting(p, source, ret);
    *ret = *known;
    return ledger_note_waiting(p->manager->store, &p->offer, source, session_peer(p->session));
}

/* Valid until the next call. */
static int wait_for_operator(Peer *p, const LedgerWaiting *known, const char *fault,
                             const char **ret_why) {
    static char text[320];
    LedgerWaiting w = {};

    TRY(put_on_list(p, known, &w));
    (void)utf8_format(text, sizeof(text),
                      "%s%swaits for the approval of an operator: 'dcm-manager accept %s'; "
                      "fingerprint %.*s",
                      strempty(fault), fault ? "; this server " : "", w.id, FINGERPRINT_MIN,
                      p->offer.token_sha256);
    *ret_why = text;
    return 0;
}

int enrolment_judge(Peer *p, bool claims_id, LedgerEnrolment *ret_token, const char **ret_why) {
    Manager *m = p->manager;
    const char *fault = NULL;
    LedgerWaiting known = {};
    bool waits;
    int r;

    r = ledger_find_waiting(m->store, p->offer.token_sha256, &known);
    if (r < 0 && r != -ENOENT)
        return r;
    waits = r >= 0;
    if (known.is_rejected) { /* by an operator, whom no secret overrules */
        *ret_why = "an operator has rejected this agent";
        return 0;
    }
    if (p->offer.enrolment_sha256[0])
        TRY(check_token(p, ret_token, &fault));
    if (ret_token->id)
        return 0;
    if (m->options.enrolment == ENROLMENT_APPROVE)
        return wait_for_operator(p, waits ? &known : NULL, fault, ret_why);
    if (m->options.enrolment == ENROLMENT_TOKEN || claims_id)
        *ret_why = fault
                       ?: "new agents need an enrolment token: set enrolment_token_file in "
                          "[connection] of agent.conf";
    return 0;
}

static void give_name(Manager *m, const char *id, const char *name) {
    int r = ledger_name_agent(m->store, id, name);

    if (r == -EEXIST)
        log_warning("%s cannot be named %s, as its enrolment token says: the name is taken", id,
                    name);
    else if (r < 0)
        (void)log_error_errno(r, "The name of %s cannot be stored: %m", id);
}

/* The token last: whatever fails before leaves it unused. */
static int use_token(Manager *m, const char *id, const LedgerEnrolment *token) {
    TRY(ledger_note_enrolment(m->store, id, token->id, token->group));
    if (token->name)
        give_name(m, id, token->name);
    return ledger_use_enrolment(m->store, token->id);
}

int enrolment_register(Manager *m, const Offer *o, const LedgerEnrolment *token, LedgerAgent *ret) {
    char id[32], server[32];
    int r = -EEXIST;

    for (int i = 0; i < ID_ATTEMPTS && r == -EEXIST; i++) {
        r = generate_id(id, server, sizeof(id));
        if (r >= 0)
            r = ledger_add_agent(m->store, id, server, o);
    }
    if (r < 0)
        return r;
    r = ledger_remove_waiting(m->store, o->token_sha256);
    if (r >= 0 && token)
        r = use_token(m, id, token);
    if (r < 0) {
        (void)ledger_remove_agent(m->store, id);
        return r;
    }
    return ledger_find_agent_by_id(m->store, id, ret);
}
