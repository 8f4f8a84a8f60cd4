/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/control-answer.h"

#include "basic/log-fields.h"
#include "basic/log.h"
#include "dcm-manager/limits.h"
#include "proto/peer-text.h"

bool control_run_method(const ControlMethod *methods, size_t n, Manager *m, ControlClient *client,
                        const char *name, struct json_object *request) {
    for (size_t i = 0; i < n; i++)
        if (streq(methods[i].name, name)) {
            methods[i].run(m, client, request);
            return true;
        }
    return false;
}

void control_fail_errno(ControlClient *client, int error) {
    switch (error) {
    case -ENOENT:
        control_client_fail(client, "not-found", "there is no such request");
        break;
    case -ENOTCONN:
        control_client_fail(client, "not-connected", "the agent is not connected now");
        break;
    case -EAGAIN:
        control_client_fail(client, "not-connected",
                            "the agent has not been sent this request yet");
        break;
    case -EEXIST:
        control_client_fail(client, "exists", "that name or GUID is taken");
        break;
    case -EKEYREVOKED:
        control_client_fail(client, "revoked",
                            "the agent was revoked, or its owner has unregistered it; it gets no "
                            "orders any more");
        break;
    case -EDQUOT:
        control_client_fail(client, "too-many", "%u requests wait for this agent already",
                            REQUESTS_OPEN_PER_AGENT_MAX);
        break;
    case -EUSERS:
        control_client_fail(client, "too-many",
                            "%u agents are known already; 'dcm-manager forget' makes room",
                            AGENTS_MAX);
        break;
    case -ENOSPC:
        control_client_fail(client, "storage",
                            "the manager's disk is full; nothing was stored or sent");
        break;
    default:
        control_client_fail(client, "storage", "the manager's database failed: %s",
                            strerror(-error));
    }
}

char *control_match_agent(Manager *m, ControlClient *client, const char *text) {
    char *id = NULL;
    int r;

    r = isempty(text) ? -ENOENT : ledger_match_agent(manager_get_store(m), text, &id);
    if (r == -ENOENT)
        control_client_fail(client, "not-found", "there is no agent '%s'", strempty(text));
    else if (r == -ENOTUNIQ)
        control_client_fail(client, "ambiguous", "'%s' matches several agents", text);
    else if (r < 0)
        control_fail_errno(client, r);
    return id;
}

struct json_object *control_result(const char *key, struct json_object *value) {
    struct json_object *o = json_object_new_object();

    if (!o) {
        (void)json_object_put(value);
        return NULL;
    }
    if (json_add(o, key, value) < 0) {
        (void)json_object_put(o);
        return NULL;
    }
    return o;
}

/* An answer that is given after the commit. */
typedef struct Pending {
    LedgerPromise promise;
    ControlAnswer *answer;      /* NULL: the client has been told that it gets none */
    struct json_object *result; /* or NULL */
    char *agent;                /* NULL: nothing is logged */
    const char *what;
} Pending;

static void on_stored(LedgerPromise *promise, int error) {
    _cleanup_free_ Pending *p = (Pending *)promise;
    ControlClient *client = p->answer ? control_answer_begin(p->answer) : NULL;

    if (p->agent && error >= 0)
        (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_AGENT_ID(p->agent)), "%s %s", p->agent,
                         p->what);
    free(p->agent);
    if (client && error >= 0)
        control_client_reply(client, TAKE_PTR(p->result));
    else if (client)
        control_fail_errno(client, error);
    (void)json_object_put(p->result);
}

void control_reply_and_log_when_stored(Manager *m, ControlClient *client,
                                       struct json_object *result, const char *agent,
                                       const char *what) {
    Pending *p = calloc(1, sizeof(*p));

    if (p)
        p->answer = control_client_reserve(client);
    if (!p || !p->answer)
        control_fail_errno(client, -ENOMEM);
    if (!p) {
        (void)json_object_put(result);
        return;
    }
    p->promise.done = on_stored;
    p->result = result;
    p->agent = agent ? strdup(agent) : NULL;
    p->what = what;
    ledger_promise(manager_get_store(m), &p->promise);
}

void control_reply_when_stored(Manager *m, ControlClient *client, struct json_object *result) {
    control_reply_and_log_when_stored(m, client, result, NULL, NULL);
}

bool control_name_is_valid(const char *name) {
    return !isempty(name) && !strchr(name, ' ') && !peer_text_fault(name, strlen(name));
}
