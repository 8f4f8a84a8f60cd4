/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl status: all properties of the agent, for people or as JSON. */
#include <stdio.h>

#include "basic/i18n.h"
#include "dcm-agentctl/bus-json.h"
#include "dcm-agentctl/verbs.h"

static int read_properties(const Context *c, struct json_object **ret) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    int r;

    r = ctl_read_properties(c, &error, ret);
    return r < 0 ? ctl_report(c, &error, r) : 0;
}

static const char *text(struct json_object *o, const char *key) {
    const char *s = json_object_get_string(json_object_object_get(o, key));

    return isempty(s) ? "-" : s;
}

static void print_counts(struct json_object *counts) {
    bool first = true;

    ctl_print_label(_("Requests"), 12);
    json_object_object_foreach(counts, state, n) {
        if (json_object_get_int(n) == 0)
            continue;
        terminal_printf(stdout, "%s%d %s", first ? "" : ", ", json_object_get_int(n), state);
        first = false;
    }
    (void)printf("%s\n", first ? _("none") : "");
}

static void print_cloud(struct json_object *o) {
    const char *type = text(o, "CloudType");
    const char *problem = json_object_get_string(json_object_object_get(o, "CloudProblem"));

    if (streq(type, "UNKNOWN") || streq(type, "-"))
        return;
    ctl_print_label(_("Cloud"), 12);
    terminal_printf(stdout, "%s %s%s%s\n", type, text(o, "InstanceId"),
                    isempty(problem) ? "" : ": ", strempty(problem));
}

#define PROBLEMS_SHOWN 5

static struct json_object *member(struct json_object *row, size_t i) {
    return json_object_array_get_idx(row, i);
}

static void print_problem(struct json_object *row) {
    const char *file = json_object_get_string(member(row, 0));
    int line = json_object_get_int(member(row, 1));
    const char *problem = json_object_get_string(member(row, 2));

    if (line > 0)
        terminal_printf(stdout, "  %s:%d: %s\n", strempty(file), line, strempty(problem));
    else
        terminal_printf(stdout, "  %s: %s\n", strempty(file), strempty(problem));
}

/* What is wrong with the files of this machine; the first ones. */
static void print_problems(struct json_object *problems) {
    size_t n = problems ? json_object_array_length(problems) : 0;

    if (n == 0)
        return;
    ctl_print_label(_("Problems"), 12);
    (void)printf(_("%zu in the configuration:\n"), n);
    for (size_t i = 0; i < n && i < PROBLEMS_SHOWN; i++)
        print_problem(member(problems, i));
    if (n > PROBLEMS_SHOWN)
        (void)printf(_("  and %zu more, see dcm-agentctl doctor\n"), n - PROBLEMS_SHOWN);
}

/* Arrays that lack disks, mounts that are missing. */
static void print_volumes(struct json_object *problems) {
    size_t n = problems ? json_object_array_length(problems) : 0;

    for (size_t i = 0; i < n && i < PROBLEMS_SHOWN; i++)
        ctl_print_field(i == 0 ? _("Volumes") : "", 12,
                        strempty(json_object_get_string(member(problems, i))));
    if (n > PROBLEMS_SHOWN)
        (void)printf(_("  and %zu more, see dcm-agentctl doctor\n"), n - PROBLEMS_SHOWN);
}

static void print_status(struct json_object *o, bool connected) {
    uint64_t since = json_object_get_uint64(json_object_object_get(o, "ConnectedSinceUSec"));
    uint64_t certificate_end =
        json_object_get_uint64(json_object_object_get(o, "CertificateEndUSec"));
    const char *pause = json_object_get_string(json_object_object_get(o, "PauseMode"));
    char buf[FORMAT_SIZE];

    (void)printf("%s%s%s ", screen_get_colour(connected ? COLOUR_GREEN : COLOUR_RED),
                 terminal_flags(stdout) & TERMINAL_ASCII ? "*" : "●",
                 screen_get_colour(COLOUR_END));
    terminal_printf(stdout, "dcm-agent %s\n", text(o, "Version"));
    ctl_print_field(_("Status"), 12, text(o, "StatusText"));
    ctl_print_field(_("Manager"), 12, text(o, "ManagerUrl"));
    ctl_print_field(_("Proxy"), 12, text(o, "Proxy"));
    if (connected) {
        ctl_print_field(_("Since"), 12, format_time(since, buf));
        ctl_print_field(_("Peer"), 12, text(o, "PeerAddress"));
        ctl_print_field(_("TLS"), 12, text(o, "TlsSession"));
    }
    if (certificate_end > 0)
        ctl_print_field(_("Valid until"), 12, format_time(certificate_end, buf));
    ctl_print_field(_("Agent id"), 12, text(o, "AgentId"));
    ctl_print_field(_("Server name"), 12, text(o, "ServerName"));
    print_cloud(o);
    if (!isempty(pause))
        ctl_print_field(_("Paused"), 12,
                        streq(pause, "waiting") ? _("new jobs wait; dcm-agentctl resume")
                                                : _("new jobs are refused; dcm-agentctl resume"));
    if (!streq(text(o, "JobProblem"), "-"))
        ctl_print_field(_("Jobs"), 12, text(o, "JobProblem"));
    if (!streq(text(o, "StoreProblem"), "-"))
        ctl_print_field(_("Database"), 12, text(o, "StoreProblem"));
    print_volumes(json_object_object_get(o, "VolumeProblems"));
    print_counts(json_object_object_get(o, "RequestCounts"));
    print_problems(json_object_object_get(o, "Problems"));
}

int verb_status(const Context *c, int argc, char *argv[]) {
    _cleanup_json_ struct json_object *o = NULL;
    bool connected;

    TRY(read_properties(c, &o));
    connected = streq(text(o, "State"), "connected");
    if (c->output.json)
        output_print_json(o, &c->output);
    else
        print_status(o, connected);
    return connected ? EXIT_SUCCESS : EXIT_NOT_RUNNING;
}

int verb_pause(const Context *c, int argc, char *argv[]) {
    return ctl_call(c, "Pause", NULL, "b", c->refuse);
}

int verb_resume(const Context *c, int argc, char *argv[]) {
    return ctl_call(c, "Resume", NULL, NULL);
}

int verb_reconnect(const Context *c, int argc, char *argv[]) {
    return ctl_call(c, "Reconnect", NULL, NULL);
}

int verb_reload(const Context *c, int argc, char *argv[]) {
    return ctl_call(c, "Reload", NULL, NULL);
}
