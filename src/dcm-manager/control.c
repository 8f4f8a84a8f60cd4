/* SPDX-License-Identifier: Apache-2.0 */
/* Methods, and clients that wait for an event. The manager's observer calls answer a wait; nothing
 * polls. */
#include "dcm-manager/control.h"

#include <stdio.h>
#include <systemd/sd-id128.h>

#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "dcm-manager/control-answer.h"
#include "dcm-manager/control-client.h"
#include "dcm-manager/control-enrolment.h"
#include "dcm-manager/control-fleet.h"
#include "dcm-manager/control-page.h"
#include "dcm-manager/control-targets.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/listener.h"

struct Control {
    sd_event *event;
    Manager *manager;
    Listener *listener;
    ControlClient *clients[CONTROL_CLIENTS_MAX];
    size_t n_clients;
    void (*on_count)(unsigned n_agents, void *userdata);
    void *userdata;
};

static int add_connection(Manager *m, struct json_object *agent) {
    int64_t since;
    const char *peer;

    if (manager_get_connection(m, json_get_string(agent, "id"), &since, &peer) < 0)
        return json_add_bool(agent, "connected", false) ?: json_add_null(agent, "since");
    TRY(json_add_bool(agent, "connected", true));
    TRY(json_add_int(agent, "since", since));
    return json_add_string(agent, "peer", peer);
}

/* Left out without TLS. */
static void add_certificate(Control *c, struct json_object *answer) {
    const TlsServer *tls = manager_get_tls(c->manager);
    struct json_object *o = tls ? json_object_new_object() : NULL;

    if (o && json_add_int(o, "expires", (int64_t)tls_server_expires_usec(tls)) >= 0 &&
        json_add_bool(o, "expiring", tls_server_is_expiring(tls, now_usec(CLOCK_REALTIME))) >= 0)
        (void)json_add(answer, "certificate", o);
    else
        (void)json_object_put(o);
}

/* In parts: the client passes on what it got as "next". */
static void method_agents(Control *c, ControlClient *client, struct json_object *request) {
    struct json_object *list = NULL, *next = NULL, *result;
    int r;

    r = ledger_list_agents(manager_get_store(c->manager), json_get(request, "after"),
                           CONTROL_ROWS_AT_ONCE, &list, &next);
    for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++)
        r = add_connection(c->manager, json_object_array_get_idx(list, i));
    if (r < 0) {
        (void)json_object_put(list);
        (void)json_object_put(next);
        control_fail_part(client, r);
        return;
    }
    result = control_part("agents", list, next);
    if (result)
        add_certificate(c, result);
    control_client_reply(client, result);
}

static int request_to_json(const char *guid, const LedgerRequest *s, struct json_object *o) {
    _cleanup_json_ struct json_object *payload = NULL, *reply = NULL;
    int r;

    r = json_parse_stored(s->payload, strlen(s->payload), &payload);
    if (r >= 0 && s->reply)
        r = json_parse_stored(s->reply, strlen(s->reply), &reply);
    if (r < 0)
        return r;
    return json_add_string(o, "guid", guid)
               ?: json_add_string(o, "agent", s->agent)
               ?: json_add_string(o, "state", order_state_to_string(s->state))
               ?: json_add(o, "payload", TAKE_PTR(payload))
               ?: (reply ? json_add(o, "reply", TAKE_PTR(reply)) : json_add_null(o, "reply"))
               ?: json_add_string(o, "error", s->error)
               ?: json_add_int(o, "created", s->created)
               ?: json_add_int(o, "updated", s->updated);
}

static int reply_request(ControlClient *client, const char *guid, const LedgerRequest *s) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    int r;

    if (!o)
        return -ENOMEM;
    r = request_to_json(guid, s, o);
    if (r >= 0)
        control_client_reply(client, control_result("request", TAKE_PTR(o)));
    return r;
}

/* By the beginning of a GUID. NULL: the client was told why not. */
static char *match_request(Control *c, ControlClient *client, struct json_object *request) {
    const char *text = strempty(json_get_string(request, "guid"));
    char *guid = NULL;
    int r;

    r = isempty(text) ? -ENOENT : ledger_match_request(manager_get_store(c->manager), text, &guid);
    if (r == -ENOTUNIQ)
        control_client_fail(client, "ambiguous", "several requests begin with '%s'", text);
    else if (r < 0)
        control_fail_errno(client, r);
    return guid;
}

static void show_or_wait(Control *c, ControlClient *client, struct json_object *request,
                         bool wait) {
    _cleanup_(ledger_request_done) LedgerRequest stored = {};
    _cleanup_free_ char *guid = match_request(c, client, request);
    int r;

    if (!guid)
        return;
    r = ledger_get_request(manager_get_store(c->manager), guid, &stored);
    if (r >= 0 && wait && !order_is_over(stored.state))
        r = control_client_wait(client, CONTROL_WAIT_REQUEST, guid);
    else if (r >= 0)
        r = reply_request(client, guid, &stored);
    if (r < 0)
        control_fail_errno(client, r);
}

static void method_show(Control *c, ControlClient *client, struct json_object *request) {
    show_or_wait(c, client, request, false);
}

static void method_wait(Control *c, ControlClient *client, struct json_object *request) {
    show_or_wait(c, client, request, true);
}

/* For an optional agent. False: the client has been answered with an error. */
static bool optional_agent(Control *c, ControlClient *client, struct json_object *request,
                           char **ret) {
    const char *text = json_get_string(request, "agent");

    *ret = text ? control_match_agent(c->manager, client, text) : NULL;
    return !text || *ret;
}

static void method_requests(Control *c, ControlClient *client, struct json_object *request) {
    _cleanup_free_ char *agent = NULL;
    struct json_object *list = NULL;
    LedgerPage page;
    int r;

    if (!optional_agent(c, client, request, &agent) ||
        !control_take_page(client, request, 20, &page))
        return;
    r = ledger_list_requests(manager_get_store(c->manager), agent, &page, &list);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_page(client, "requests", list, &page);
}

static void method_alerts(Control *c, ControlClient *client, struct json_object *request) {
    _cleanup_free_ char *agent = NULL;
    struct json_object *list = NULL;
    LedgerPage page;
    int r;

    if (!optional_agent(c, client, request, &agent) ||
        !control_take_page(client, request, 20, &page))
        return;
    r = ledger_list_alerts(manager_get_store(c->manager), agent, &page, &list);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_page(client, "alerts", list, &page);
}

static void generate_guid(char ret[static SD_ID128_UUID_STRING_MAX]) {
    sd_id128_t id = SD_ID128_NULL;

    (void)sd_id128_randomize(&id);
    (void)sd_id128_to_uuid_string(id, ret);
}

static void method_run(Control *c, ControlClient *client, struct json_object *request) {
    struct json_object *payload = json_get(request, "payload"), *result;
    const char *guid = json_get_string(request, "guid");
    _cleanup_free_ char *agent = NULL, *text = NULL;
    char generated[SD_ID128_UUID_STRING_MAX];
    size_t size = 0;
    int r;

    if (!guid) {
        generate_guid(generated);
        guid = generated;
    }
    if (!guid_is_valid(guid) || !json_get_string(payload, "command")) {
        control_client_fail(client, "invalid", "the GUID or the payload is not valid");
        return;
    }
    agent = control_match_agent(c->manager, client, json_get_string(request, "agent"));
    if (!agent)
        return;
    r = json_encode(payload, &text, &size);
    if (r >= 0 && size > PAYLOAD_SIZE_MAX) {
        control_client_fail(client, "invalid", "the request is too large: %zu bytes, at most %zu",
                            size, PAYLOAD_SIZE_MAX);
        return;
    }
    if (r >= 0)
        r = manager_submit(c->manager, agent, guid, text);
    if (r < 0) {
        control_fail_errno(client, r);
        return;
    }
    result = control_result("guid", json_object_new_string(guid));
    if (result)
        (void)json_add_string(result, "agent", agent);
    control_reply_when_stored(c->manager, client, result);
}

static void method_cancel(Control *c, ControlClient *client, struct json_object *request) {
    _cleanup_free_ char *guid = match_request(c, client, request);
    int r;

    if (!guid)
        return;
    r = manager_ask(c->manager, MESSAGE_CANCEL, guid);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(c->manager, client, NULL);
}

static void method_status(Control *c, ControlClient *client, struct json_object *request) {
    _cleanup_free_ char *guid = match_request(c, client, request);
    int r;

    if (!guid)
        return;
    r = manager_ask(c->manager, MESSAGE_STATUS, guid);
    if (r >= 0)
        r = control_client_wait(client, CONTROL_WAIT_STATUS, guid);
    if (r < 0)
        control_fail_errno(client, r);
}

static void method_log(Control *c, ControlClient *client, struct json_object *request) {
    _cleanup_free_ char *agent = NULL;
    struct json_object *lines = NULL;
    LedgerPage page;
    int r;

    if (!optional_agent(c, client, request, &agent) ||
        !control_take_page(client, request, 100, &page))
        return;
    r = ledger_list_log(manager_get_store(c->manager), agent, &page, &lines);
    if (r >= 0 && json_object_get_boolean(json_get(request, "follow")))
        r = control_client_wait(client, CONTROL_WAIT_LOG, agent);
    if (r < 0) {
        (void)json_object_put(lines);
        control_fail_errno(client, r);
    } else
        control_reply_page(client, "lines", lines, &page);
}

static void method_wait_agent(Control *c, ControlClient *client, struct json_object *request) {
    const char *text = json_get_string(request, "agent"), *connected, *peer;
    _cleanup_free_ char *agent = NULL;
    int64_t since;

    if (!optional_agent(c, client, request, &agent))
        return;
    connected = !text ? manager_any_connected(c->manager)
                : manager_get_connection(c->manager, agent, &since, &peer) >= 0 ? agent
                                                                                : NULL;
    if (connected)
        control_client_reply(client, control_result("agent", json_object_new_string(connected)));
    else if (control_client_wait(client, CONTROL_WAIT_AGENT, agent) < 0)
        control_fail_errno(client, -ENOMEM);
}

static void set_name(Control *c, ControlClient *client, struct json_object *request,
                     const char *name) {
    _cleanup_free_ char *agent =
        control_match_agent(c->manager, client, json_get_string(request, "agent"));
    int r;

    if (!agent)
        return;
    r = ledger_name_agent(manager_get_store(c->manager), agent, name);
    if (r < 0)
        control_fail_errno(client, r);
    else
        control_reply_when_stored(c->manager, client, NULL);
}

static void method_name(Control *c, ControlClient *client, struct json_object *request) {
    const char *name = strempty(json_get_string(request, "name"));

    if (control_name_is_valid(name))
        set_name(c, client, request, name);
    else
        control_client_fail(client, "invalid",
                            "'%s' is not a valid name: 1 to %zu bytes, no blanks and no control "
                            "characters",
                            name, PEER_TEXT_MAX);
}

static void method_unname(Control *c, ControlClient *client, struct json_object *request) {
    set_name(c, client, request, NULL);
}

static void answer_drain(Control *c) {
    for (size_t i = 0; i < c->n_clients; i++)
        if (control_client_waits(c->clients[i], CONTROL_WAIT_DRAIN, NULL)) {
            (void)control_client_wait(c->clients[i], CONTROL_WAIT_NONE, NULL);
            control_client_reply(c->clients[i], NULL);
        }
}

static const struct {
    const char *name;
    void (*run)(Control *c, ControlClient *client, struct json_object *request);
} methods[] = {
    {"agents", method_agents},     {"run", method_run},       {"show", method_show},
    {"wait", method_wait},         {"cancel", method_cancel}, {"status", method_status},
    {"log", method_log},           {"name", method_name},     {"wait_agent", method_wait_agent},
    {"requests", method_requests}, {"alerts", method_alerts}, {"unname", method_unname},
};

static bool run_method(Control *c, ControlClient *client, const char *name,
                       struct json_object *request) {
    for (size_t i = 0; i < ELEMENTSOF(methods); i++)
        if (streq(methods[i].name, name)) {
            methods[i].run(c, client, request);
            return true;
        }
    return control_enrolment_run(c->manager, client, name, request) ||
           control_fleet_run(c->manager, client, name, request) ||
           control_targets_run(c->manager, client, name, request);
}

static void on_line(ControlClient *client, struct json_object *request, void *userdata) {
    const char *name = strempty(json_get_string(request, "method"));

    (void)control_client_wait(client, CONTROL_WAIT_NONE, NULL);
    if (!run_method(userdata, client, name, request))
        control_client_fail(client, "invalid", "there is no method '%s'", name);
}

static void on_gone(ControlClient *client, void *userdata) {
    Control *c = userdata;

    for (size_t i = 0; i < c->n_clients; i++)
        if (c->clients[i] == client) {
            c->clients[i] = c->clients[--c->n_clients];
            break;
        }
    control_client_free(client);
}

static void on_accept(int fd, void *userdata) {
    static const ControlClientCallbacks callbacks = {.on_line = on_line, .on_gone = on_gone};
    Control *c = userdata;
    int r;

    if (c->n_clients == CONTROL_CLIENTS_MAX) {
        log_warning("Too many control clients, one more is refused");
        safe_close(fd);
        return;
    }
    r = control_client_new(c->event, fd, &callbacks, c, &c->clients[c->n_clients]);
    if (r < 0)
        (void)log_warning_errno(r, "A control client is refused: %m");
    else
        c->n_clients++;
}

static void on_request(const char *guid, OrderState state, void *userdata) {
    _cleanup_(ledger_request_done) LedgerRequest stored = {};
    Control *c = userdata;
    int r = 0;

    if (!order_is_over(state))
        return;
    for (size_t i = 0; i < c->n_clients; i++) {
        ControlClient *client = c->clients[i];

        if (!control_client_waits(client, CONTROL_WAIT_REQUEST, guid))
            continue;
        (void)control_client_wait(client, CONTROL_WAIT_NONE, NULL);
        if (!stored.agent)
            r = ledger_get_request(manager_get_store(c->manager), guid, &stored);
        if (r >= 0)
            r = reply_request(client, guid, &stored);
        if (r < 0)
            control_fail_errno(client, r);
    }
}

static void on_status(const char *guid, struct json_object *status, void *userdata) {
    Control *c = userdata;

    for (size_t i = 0; i < c->n_clients; i++)
        if (control_client_waits(c->clients[i], CONTROL_WAIT_STATUS, guid)) {
            (void)control_client_wait(c->clients[i], CONTROL_WAIT_NONE, NULL);
            control_client_reply(c->clients[i], control_result("status", json_object_get(status)));
        }
}

static void on_agent(const char *agent, void *userdata) {
    Control *c = userdata;

    for (size_t i = 0; i < c->n_clients; i++)
        if (control_client_waits(c->clients[i], CONTROL_WAIT_AGENT, agent)) {
            (void)control_client_wait(c->clients[i], CONTROL_WAIT_NONE, NULL);
            control_client_reply(c->clients[i],
                                 control_result("agent", json_object_new_string(agent)));
        }
}

static void on_log(const char *agent, int64_t time, const char *level, const char *message,
                   void *userdata) {
    Control *c = userdata;

    for (size_t i = 0; i < c->n_clients; i++) {
        struct json_object *line;

        if (!control_client_waits(c->clients[i], CONTROL_WAIT_LOG, agent))
            continue;
        line = json_object_new_object();
        if (line && json_add_string(line, "agent", agent) >= 0 &&
            json_add_int(line, "time", time) >= 0 && json_add_string(line, "level", level) >= 0)
            (void)json_add_string(line, "message", message);
        control_client_reply(c->clients[i], line);
    }
}

static void on_count(unsigned n_agents, void *userdata) {
    Control *c = userdata;

    if (n_agents == 0)
        answer_drain(c);
    c->on_count(n_agents, c->userdata);
}

int control_new(sd_event *event, int fd, Manager *manager,
                void (*count_callback)(unsigned n_agents, void *userdata), void *userdata,
                Control **ret) {
    static const ManagerObserver observer = {
        .on_request = on_request,
        .on_status = on_status,
        .on_agent = on_agent,
        .on_log = on_log,
        .on_count = on_count,
    };
    _cleanup_(control_freep) Control *c = calloc(1, sizeof(*c));

    if (!c) {
        safe_close(fd);
        return -ENOMEM;
    }
    c->event = event;
    c->manager = manager;
    c->on_count = count_callback;
    c->userdata = userdata;
    TRY(listener_new(event, fd, on_accept, c, &c->listener));
    manager_set_observer(manager, &observer, c);
    *ret = TAKE_PTR(c);
    return 0;
}

Control *control_free(Control *c) {
    if (!c)
        return NULL;
    manager_set_observer(c->manager, NULL, NULL);
    listener_free(c->listener);
    while (c->n_clients > 0)
        control_client_free(c->clients[--c->n_clients]);
    free(c);
    return NULL;
}
