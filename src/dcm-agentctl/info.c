/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl info: what this agent is, of which server and of which manager, and its process; as
 * the Python agent told with "status". What systemd knows is there without the agent, too. */
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/utf8.h"
#include "cli/service-state.h"
#include "dcm-agentctl/bus-json.h"
#include "dcm-agentctl/verbs.h"

#define LABEL_WIDTH 12

typedef struct Process {
    uint32_t pid; /* 0: there is none */
    uint64_t since_usec;
    char *user;
} Process;

static void process_done(Process *p) {
    free(p->user);
}

/* What cannot be read stays 0 or NULL. */
static void read_process(sd_bus *bus, Process *ret) {
    static const char systemd[] = "org.freedesktop.systemd1";
    static const char service[] = "org.freedesktop.systemd1.Service";

    (void)sd_bus_get_property_trivial(bus, systemd, SERVICE_UNIT_PATH, service, "MainPID", NULL,
                                      'u', &ret->pid);
    (void)sd_bus_get_property_trivial(bus, systemd, SERVICE_UNIT_PATH, service,
                                      "ExecMainStartTimestamp", NULL, 't', &ret->since_usec);
    (void)sd_bus_get_property_string(bus, systemd, SERVICE_UNIT_PATH, service, "User", NULL,
                                     &ret->user);
}

static const struct {
    const char *key, *property;
} texts[] = {
    {"state", "State"},
    {"status", "StatusText"},
    {"agent_id", "AgentId"},
    {"server_name", "ServerName"},
    {"manager_url", "ManagerUrl"},
    {"cloud", "CloudType"},
    {"instance_id", "InstanceId"},
};

/* "processed" and the like: the words of the Python agent. */
static const struct {
    const char *key, *state, *label;
} counts[] = {
    {"processed", "REPLY_ACKED", N_("processed")},
    {"rejected", "NACKED", N_("rejected")},
    {"being_processed", "ACKED", N_("being processed")},
    {"being_replied_to", "REPLY", N_("being replied to")},
    {"replies_rejected", "REPLY_NACKED", N_("replies rejected")},
};

static int add_counts(struct json_object *o, struct json_object *properties) {
    struct json_object *requests = json_object_new_object();
    struct json_object *found = json_get(properties, "RequestCounts");
    int r;

    r = json_add(o, "requests", requests);
    for (size_t i = 0; i < ELEMENTSOF(counts) && r >= 0; i++)
        r = json_add_int(requests, counts[i].key,
                         json_object_get_int(json_get(found, counts[i].state)));
    return r;
}

static int add_agent(struct json_object *o, struct json_object *properties) {
    TRY(json_add_int(o, "protocol_version",
                     json_object_get_int(json_get(properties, "ProtocolVersion"))));
    TRY(json_add_bool(o, "initialized",
                      json_object_get_boolean(json_get(properties, "Initialized"))));
    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        TRY(json_add_string(o, texts[i].key,
                            strempty(json_get_string(properties, texts[i].property))));
    return add_counts(o, properties);
}

/* `properties` NULL: the agent does not run, for that reason. */
static int make_info(const Process *p, struct json_object *properties, const char *reason,
                     struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "version",
                        properties ? strempty(json_get_string(properties, "Version"))
                                   : PROJECT_VERSION));
    TRY(json_add_bool(o, "running", properties));
    TRY(json_add_int(o, "pid", p->pid));
    TRY(json_add_int(o, "since", properties ? (int64_t)p->since_usec : 0));
    TRY(json_add_string(o, "user", strempty(p->user)));
    if (properties)
        TRY(add_agent(o, properties));
    else
        TRY(json_add_string(o, "reason", reason));
    *ret = TAKE_PTR(o);
    return 0;
}

static void print_text(struct json_object *o, const char *label, const char *key) {
    const char *text = json_get_string(o, key);

    ctl_print_field(label, LABEL_WIDTH, isempty(text) ? "-" : text);
}

static void print_process(const Process *p) {
    char text[CTL_TEXT_SIZE], buf[FORMAT_SIZE];

    if (p->pid > 0)
        (void)utf8_format(text, sizeof(text), _("running since %s, user %s, process %u"),
                          format_time(p->since_usec, buf), strempty(p->user), p->pid);
    else
        (void)utf8_format(text, sizeof(text), "%s", _("running"));
    ctl_print_field(_("Process"), LABEL_WIDTH, text);
}

static void print_counts(struct json_object *requests) {
    char text[CTL_TEXT_SIZE] = "";

    for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
        size_t size = strlen(text);

        (void)utf8_format(text + size, sizeof(text) - size, "%s%d %s", i == 0 ? "" : ", ",
                          json_object_get_int(json_get(requests, counts[i].key)),
                          _(counts[i].label));
    }
    ctl_print_field(_("Requests"), LABEL_WIDTH, text);
}

static void print_info(struct json_object *o, const Process *p) {
    print_text(o, _("Version"), "version");
    if (!json_object_get_boolean(json_get(o, "running"))) {
        ctl_print_field(_("Process"), LABEL_WIDTH, _("not running"));
        terminal_printf(stdout, "%s", strempty(json_get_string(o, "reason")));
        return;
    }
    print_process(p);
    ctl_print_field(_("Initialized"), LABEL_WIDTH,
                    json_object_get_boolean(json_get(o, "initialized")) ? _("yes") : _("no"));
    print_text(o, _("Status"), "status");
    print_text(o, _("Manager"), "manager_url");
    print_text(o, _("Agent id"), "agent_id");
    print_text(o, _("Server name"), "server_name");
    print_text(o, _("Cloud"), "cloud");
    print_text(o, _("Instance id"), "instance_id");
    print_counts(json_get(o, "requests"));
}

int verb_info(const Context *c, int argc, char *argv[]) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_json_ struct json_object *properties = NULL, *o = NULL;
    _cleanup_(process_done) Process p = {};
    char reason[CTL_TEXT_SIZE] = "";
    int r;

    r = ctl_read_properties(c, &error, &properties);
    if (r < 0)
        r = ctl_explain(c, &error, r, reason);
    if (r < 0 && r != -EHOSTDOWN)
        return ctl_report(c, &error, r);
    read_process(c->bus, &p);
    TRY(make_info(&p, properties, reason, &o));
    if (c->output.json)
        output_print_json(o, &c->output);
    else
        print_info(o, &p);
    return properties ? EXIT_SUCCESS : EXIT_NOT_RUNNING;
}
