/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/control-targets.h"

#include "basic/guid.h"
#include "basic/time-util.h"
#include "dcm-manager/control-answer.h"
#include "dcm-manager/ledger-target.h"
#include "dcm-manager/limits.h"

/* --- who is meant ------------------------------------------------------------------------------
 */

/* Whether a text can mean several agents; sets what it asks for. */
static bool parse_target(const char *text, TargetKind *ret_kind, const char **ret_value) {
    static const struct {
        const char *prefix;
        TargetKind kind;
    } kinds[] = {{"@", TARGET_GROUP}, {"group=", TARGET_GROUP}, {"platform=", TARGET_PLATFORM}};

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            *ret_kind = kinds[i].kind;
            *ret_value = text + strlen(kinds[i].prefix);
            return true;
        }
    *ret_value = text;
    *ret_kind = streq(text, "connected") ? TARGET_CONNECTED : TARGET_PATTERN;
    return *ret_kind == TARGET_CONNECTED || text[strcspn(text, "*?[")];
}

/* 1: the text is exactly an agent's id or name, and so nothing else. */
static int is_called(Manager *m, const char *text) {
    _cleanup_(ledger_agent_done) LedgerAgent a = {};
    _cleanup_free_ char *id = NULL;
    int r = ledger_match_agent(manager_get_store(m), text, &id);

    if (r == -ENOENT || r == -ENOTUNIQ)
        return 0;
    if (r >= 0)
        r = ledger_find_agent_by_id(manager_get_store(m), id, &a);
    return r < 0 ? r : streq(a.id, text) || streq(a.name, text);
}

static bool is_connected(Manager *m, const char *id) {
    const char *peer;
    int64_t since;

    return manager_get_connection(m, id, &since, &peer) >= 0;
}

static int add_connected(Manager *m, struct json_object *rows, bool only,
                         struct json_object **ret) {
    _cleanup_json_ struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        bool connected = is_connected(m, strempty(json_get_string(row, "id")));

        if (only && !connected)
            continue;
        TRY(json_add_bool(row, "connected", connected));
        if (!list || json_object_array_add(list, json_object_get(row)) < 0) {
            (void)json_object_put(row);
            return -ENOMEM;
        }
    }
    if (!list)
        return -ENOMEM;
    *ret = TAKE_PTR(list);
    return 0;
}

static void reply_targets(ControlClient *client, struct json_object *list, const char *next,
                          bool is_agent) {
    struct json_object *result = control_result("targets", list);

    if (result && next)
        (void)json_add_string(result, "next", next);
    if (result && is_agent)
        (void)json_add_bool(result, "is_agent", true);
    control_client_reply(client, result);
}

static int one_to_json(Manager *m, const LedgerAgent *a, struct json_object *list) {
    struct json_object *o = json_object_new_object();

    if (!o || json_object_array_add(list, o) < 0) {
        (void)json_object_put(o);
        return -ENOMEM;
    }
    return json_add_string(o, "id", a->id)
               ?: json_add_string(o, "name", a->name)
               ?: json_add_string(o, "group", a->group)
               ?: json_add_string(o, "platform", a->platform)
               ?: json_add_string(o, "platform_version", a->platform_version)
               ?: json_add_bool(o, "connected", is_connected(m, a->id));
}

/* One agent, as all other methods know it. */
static void reply_agent(Manager *m, ControlClient *client, const char *text) {
    _cleanup_json_ struct json_object *list = json_object_new_array();
    _cleanup_free_ char *id = control_match_agent(m, client, text);
    _cleanup_(ledger_agent_done) LedgerAgent a = {};
    int r;

    if (!id)
        return;
    r = list ? ledger_find_agent_by_id(manager_get_store(m), id, &a) : -ENOMEM;
    if (r >= 0)
        r = a.is_revoked ? -EKEYREVOKED : one_to_json(m, &a, list);
    if (r < 0)
        control_fail_errno(client, r);
    else
        reply_targets(client, TAKE_PTR(list), NULL, true);
}

static void reply_list(Manager *m, ControlClient *client, TargetKind kind, const char *value,
                       const char *after) {
    _cleanup_json_ struct json_object *rows = NULL;
    struct json_object *list = NULL;
    _cleanup_free_ char *next = NULL;
    int r;

    r = ledger_list_targets(manager_get_store(m), kind, value, after, CONTROL_ROWS_AT_ONCE, &rows,
                            &next);
    if (r >= 0)
        r = add_connected(m, rows, kind == TARGET_CONNECTED, &list);
    if (r < 0)
        control_fail_errno(client, r);
    else
        reply_targets(client, list, next, false);
}

static void method_targets(Manager *m, ControlClient *client, struct json_object *request) {
    const char *text = json_get_string(request, "target"),
               *after = json_get_string(request, "after"), *value;
    TargetKind kind;
    int r;

    if (json_get(request, "all")) {
        reply_list(m, client, TARGET_ALL, NULL, after);
        return;
    }
    if (isempty(text) || strlen(text) > TARGET_SIZE_MAX) {
        control_client_fail(client, "invalid", "a target has 1 to %zu bytes", TARGET_SIZE_MAX);
        return;
    }
    r = after ? 0 : is_called(m, text); /* names of agents have no further part */
    if (r < 0)
        control_fail_errno(client, r);
    else if (r == 0 && parse_target(text, &kind, &value))
        reply_list(m, client, kind, value, after);
    else if (r == 0 && strchr(text, '='))
        control_client_fail(client, "not-found",
                            "there is no agent '%s', and no such fact: it is platform=NAME, "
                            "group=NAME or connected",
                            text);
    else
        reply_agent(m, client, text);
}

/* --- orders ------------------------------------------------------------------------------------
 */

/* An error that is about this agent, and no reason to stop; NULL: another one. */
static const char *explain_agent(int error, const char **ret_message) {
    switch (error) {
    case -ENOENT:
        *ret_message = "there is no such agent any more";
        return "not-found";
    case -EKEYREVOKED:
        *ret_message = "the agent was revoked, or its owner has unregistered it";
        return "revoked";
    case -EDQUOT:
        *ret_message = "too many requests wait for this agent already";
        return "too-many";
    case -EEXIST:
        *ret_message = "another request has that GUID";
        return "exists";
    default:
        return NULL;
    }
}

static int order_one(Manager *m, struct json_object *order, const char *payload,
                     struct json_object *answers) {
    const char *agent = json_get_string(order, "agent"), *guid = json_get_string(order, "guid"),
               *message = NULL, *word;
    struct json_object *answer;
    int r;

    r = manager_submit(m, agent, guid, payload);
    word = r < 0 ? explain_agent(r, &message) : NULL;
    if (r < 0 && !word)
        return r;
    answer = json_object_new_object();
    if (!answer || json_object_array_add(answers, answer) < 0) {
        (void)json_object_put(answer);
        return -ENOMEM;
    }
    TRY(json_add_string(answer, "agent", agent));
    TRY(json_add_string(answer, "guid", guid));
    if (!word)
        return 0;
    TRY(json_add_string(answer, "error", word));
    return json_add_string(answer, "message", message);
}

/* As many as have room in a turn; the client asks again for the others. */
static int order_some(Manager *m, struct json_object *orders, const char *payload,
                      struct json_object *answers) {
    const uint64_t until = now_usec(CLOCK_MONOTONIC) + CONTROL_TURN_USEC;
    size_t n = MIN(json_object_array_length(orders), (size_t)CONTROL_ORDERS_AT_ONCE);

    for (size_t i = 0; i < n && (i == 0 || now_usec(CLOCK_MONOTONIC) < until); i++) {
        int r = order_one(m, json_object_array_get_idx(orders, i), payload, answers);

        if (r < 0) /* those before it are stored, and are told */
            return i == 0 ? r : 0;
    }
    return 0;
}

static bool orders_are_valid(struct json_object *orders) {
    if (!json_object_is_type(orders, json_type_array) || json_object_array_length(orders) == 0)
        return false;
    for (size_t i = 0; i < json_object_array_length(orders); i++) {
        struct json_object *order = json_object_array_get_idx(orders, i);

        if (isempty(json_get_string(order, "agent")) ||
            !guid_is_valid(strempty(json_get_string(order, "guid"))))
            return false;
    }
    return true;
}

static void method_order(Manager *m, ControlClient *client, struct json_object *request) {
    struct json_object *payload = json_get(request, "payload"),
                       *orders = json_get(request, "orders");
    _cleanup_json_ struct json_object *answers = json_object_new_array();
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    if (!orders_are_valid(orders) || !json_get_string(payload, "command")) {
        control_client_fail(client, "invalid", "an agent, a GUID or the payload is not valid");
        return;
    }
    r = answers ? json_encode(payload, &text, &size) : -ENOMEM;
    if (r >= 0 && size > PAYLOAD_SIZE_MAX) {
        control_client_fail(client, "invalid", "the request is too large: %zu bytes, at most %zu",
                            size, PAYLOAD_SIZE_MAX);
        return;
    }
    if (r >= 0)
        r = order_some(m, orders, text, answers);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(m, client, control_result("orders", TAKE_PTR(answers)));
}

/* --- groups ------------------------------------------------------------------------------------
 */

static void method_group(Manager *m, ControlClient *client, struct json_object *request) {
    const char *group = json_get_string(request, "group");
    _cleanup_free_ char *agent = NULL;
    int r;

    if (group && !control_name_is_valid(group)) {
        control_client_fail(client, "invalid",
                            "'%s' is not a valid name: 1 to %zu bytes, no blanks and no control "
                            "characters",
                            group, PEER_TEXT_MAX);
        return;
    }
    agent = control_match_agent(m, client, json_get_string(request, "agent"));
    if (!agent)
        return;
    r = ledger_group_agent(manager_get_store(m), agent, group);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(m, client,
                                  control_result("agent", json_object_new_string(agent)));
}

static const ControlMethod methods[] = {
    {"targets", method_targets},
    {"order", method_order},
    {"group", method_group},
};

bool control_targets_run(Manager *m, ControlClient *client, const char *name,
                         struct json_object *request) {
    return control_run_method(methods, ELEMENTSOF(methods), m, client, name, request);
}
