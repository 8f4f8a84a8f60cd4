/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/control-enrolment.h"

#include "basic/sha256.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-manager/control-answer.h"
#include "dcm-manager/control-page.h"
#include "dcm-manager/ledger-enrolment.h"
#include "dcm-manager/ledger-waiting.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/manager-bans.h"
#include "dcm-manager/random-letters.h"

#define SECRET_PREFIX "dcm-enrol-" /* so that scanners of repositories can know it */
#define SECRET_RANDOM_SIZE 40      /* of 5 bits */
#define SECRET_SIZE (sizeof(SECRET_PREFIX) + SECRET_RANDOM_SIZE)
#define ID_RANDOM_SIZE 7

/* 1: one that waits. 0: none; the client was not answered. <0: it was. */
static int match_waiting(Manager *m, ControlClient *client, const char *text, char **ret) {
    int r = isempty(text) ? -ENOENT : ledger_match_waiting(manager_get_store(m), text, ret);

    if (r >= 0 || r == -ENOENT)
        return r >= 0;
    if (r == -ENOTUNIQ)
        control_client_fail(client, "ambiguous", "'%s' matches several agents that wait", text);
    else
        control_fail_errno(client, r);
    return r;
}

static void method_waiting(Manager *m, ControlClient *client, struct json_object *request) {
    struct json_object *list = NULL, *next = NULL;
    int r;

    r = ledger_list_waiting(manager_get_store(m), json_get(request, "after"), CONTROL_ROWS_AT_ONCE,
                            &list, &next);
    if (r < 0)
        control_fail_part(client, r);
    else
        control_client_reply(client, control_part("waiting", list, next));
}

static int accept_waiting(Manager *m, const char *id, const char *name) {
    Ledger *store = manager_get_store(m);
    _cleanup_(ledger_agent_done) LedgerAgent agent = {};

    TRY(ledger_accept_waiting(store, id, name));
    TRY(ledger_remove_waiting_id(store, id));
    TRY(ledger_find_agent_by_id(store, id, &agent));
    if (agent.claimed) /* a copy that was told to make a token of its own has made it */
        (void)ledger_note_stale(store, agent.claimed, -1);
    return 0;
}

/* The name first: with one that is taken nothing is changed. -EALREADY: it is not revoked. */
static int restore(Manager *m, const char *id, const char *name) {
    _cleanup_(ledger_agent_done) LedgerAgent agent = {};
    Ledger *store = manager_get_store(m);

    TRY(ledger_find_agent_by_id(store, id, &agent));
    if (!agent.is_revoked)
        return -EALREADY;
    if (name)
        TRY(ledger_name_agent(store, id, name));
    return ledger_restore_agent(store, id);
}

static bool optional_name(ControlClient *client, struct json_object *request, const char *key,
                          const char **ret) {
    *ret = json_get_string(request, key);
    if (!*ret || control_name_is_valid(*ret))
        return true;
    control_client_fail(client, "invalid",
                        "'%s' is not a valid name: 1 to %zu bytes, no blanks and no control "
                        "characters",
                        *ret, PEER_TEXT_MAX);
    return false;
}

/* Of one that waits, also if it was rejected; or of one that was revoked. */
static void method_accept(Manager *m, ControlClient *client, struct json_object *request) {
    const char *text = strempty(json_get_string(request, "agent")), *name;
    _cleanup_free_ char *id = NULL;
    int r;

    if (!optional_name(client, request, "name", &name))
        return;
    r = match_waiting(m, client, text, &id);
    if (r < 0)
        return;
    if (r == 0) {
        id = control_match_agent(m, client, text);
        if (!id)
            return;
        r = restore(m, id, name);
    } else
        r = accept_waiting(m, id, name);
    if (r == -EALREADY)
        control_client_fail(client, "exists", "%s is accepted already", id);
    else if (r < 0)
        control_fail_errno(client, r);
    if (r < 0)
        return;
    control_reply_and_log_when_stored(
        m, client, control_result("agent", json_object_new_string(id)), id, "is accepted");
}

static void method_reject(Manager *m, ControlClient *client, struct json_object *request) {
    const char *text = strempty(json_get_string(request, "agent"));
    _cleanup_free_ char *id = NULL;
    int r;

    r = match_waiting(m, client, text, &id);
    if (r == 0)
        control_client_fail(client, "not-found", "no agent '%s' waits", text);
    if (r <= 0)
        return;
    r = ledger_reject_waiting(manager_get_store(m), id);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(m, client, control_result("agent", json_object_new_string(id)));
}

static void take_back(Manager *m, ControlClient *client, struct json_object *request,
                      int (*act)(Manager *m, const char *agent)) {
    _cleanup_free_ char *id = control_match_agent(m, client, json_get_string(request, "agent"));
    int r;

    if (!id)
        return;
    r = act(m, id);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(m, client, control_result("agent", json_object_new_string(id)));
}

static void method_revoke(Manager *m, ControlClient *client, struct json_object *request) {
    take_back(m, client, request, manager_revoke);
}

static void method_forget(Manager *m, ControlClient *client, struct json_object *request) {
    take_back(m, client, request, manager_forget);
}

static void method_replace(Manager *m, ControlClient *client, struct json_object *request) {
    const char *text = strempty(json_get_string(request, "newer"));
    _cleanup_free_ char *id = control_match_agent(m, client, json_get_string(request, "agent"));
    _cleanup_free_ char *newer = NULL;
    int r, waits;

    if (!id)
        return;
    waits = match_waiting(m, client, text, &newer);
    if (waits == 0)
        newer = control_match_agent(m, client, text);
    if (!newer)
        return;
    if (streq(id, newer)) {
        control_client_fail(client, "invalid", "%s cannot replace itself", id);
        return;
    }
    r = manager_replace(m, id, newer, waits > 0);
    if (r == -EBUSY)
        control_client_fail(client, "invalid",
                            "%s is connected, so that machine was not replaced; 'dcm-manager "
                            "revoke' ends its connection",
                            id);
    else if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(m, client, control_result("agent", json_object_new_string(id)));
}

/* --- enrolment tokens --------------------------------------------------------------------------
 */

/* Makes a token; its secret is in the answer alone. */
static int make_token(Manager *m, const char *group, const char *name, int64_t expires,
                      int64_t uses, struct json_object *result) {
    char id[16] = "enrol-", secret[SECRET_SIZE] = SECRET_PREFIX, hash[SHA256_HEX_SIZE];
    int r;

    r = random_letters(id + strlen(id), ID_RANDOM_SIZE)
            ?: random_letters(secret + strlen(SECRET_PREFIX), SECRET_RANDOM_SIZE);
    if (r >= 0) {
        sha256_hex(secret, strlen(secret), hash);
        r = ledger_add_enrolment(manager_get_store(m), id, hash, group, name, expires, uses);
    }
    if (r >= 0)
        r = json_add_string(result, "id", id)
                ?: json_add_string(result, "secret", secret)
                ?: json_add_int(result, "expires", expires);
    explicit_bzero(secret, sizeof(secret));
    return r;
}

static void method_enrol_token_new(Manager *m, ControlClient *client, struct json_object *request) {
    struct json_object *result;
    int64_t expires_usec = 0, uses = 1;
    const char *group, *name;
    int r;

    if (!optional_name(client, request, "group", &group) ||
        !optional_name(client, request, "name", &name))
        return;
    (void)json_to_integer(json_get(request, "expires_usec"), &expires_usec);
    (void)json_to_integer(json_get(request, "uses"), &uses);
    if (expires_usec <= 0 || expires_usec > (int64_t)ENROLMENT_EXPIRES_MAX_USEC || uses < 1 ||
        uses > ENROLMENT_USES_MAX) {
        control_client_fail(client, "invalid",
                            "an enrolment token expires within ten years, and has 1 to %d uses",
                            ENROLMENT_USES_MAX);
        return;
    }
    result = json_object_new_object();
    r = result ? make_token(m, group, name, (int64_t)now_usec(CLOCK_REALTIME) + expires_usec, uses,
                            result)
               : -ENOMEM;
    if (r >= 0) {
        control_reply_when_stored(m, client, result);
        return;
    }
    (void)json_object_put(result);
    if (r == -EDQUOT)
        control_client_fail(client, "too-many",
                            "%u enrolment tokens are valid already; revoke some",
                            ENROLMENT_TOKENS_MAX);
    else
        control_fail_errno(client, r);
}

static void method_enrol_tokens(Manager *m, ControlClient *client, struct json_object *request) {
    struct json_object *list = NULL;
    int r = ledger_list_enrolments(manager_get_store(m), &list);

    if (r < 0)
        control_fail_errno(client, r);
    else
        control_client_reply(client, control_result("enrol_tokens", list));
}

static void method_enrol_token_revoke(Manager *m, ControlClient *client,
                                      struct json_object *request) {
    const char *id = strempty(json_get_string(request, "token"));
    int r = ledger_revoke_enrolment(manager_get_store(m), id);

    if (r == -ENOENT)
        control_client_fail(client, "not-found", "there is no enrolment token '%s'", id);
    else if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(m, client, NULL);
}

static const ControlMethod methods[] = {
    {"waiting", method_waiting},
    {"accept", method_accept},
    {"reject", method_reject},
    {"revoke", method_revoke},
    {"forget", method_forget},
    {"replace", method_replace},
    {"enrol_token_new", method_enrol_token_new},
    {"enrol_tokens", method_enrol_tokens},
    {"enrol_token_revoke", method_enrol_token_revoke},
};

bool control_enrolment_run(Manager *m, ControlClient *client, const char *name,
                           struct json_object *request) {
    return control_run_method(methods, ELEMENTSOF(methods), m, client, name, request);
}
