/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/options.h"

#include <getopt.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "cli/completion.h"
#include "cli/since.h"
#include "dcm-manager/enrolment-mode.h"
#include "dcm-manager/limits.h"

#define SECONDS_MAX (30.0 * 24 * 3600)
#define RATE_MIN 0.01
#define RATE_MAX 1e6

static const Verb verbs[_VERB_MAX] = {
    [VERB_SERVE] = {"serve", "", .help = N_("run the agent manager")},
    [VERB_AGENTS] = {"agents", "", .help = N_("list the agents")},
    [VERB_RUN] = {"run", "TARGET... [--] COMMAND", 1, OPERANDS_MAX, N_("order a command"),
                  "run 'web*' @db --wait -- restart_service name=nginx"},
    [VERB_REQUESTS] = {"requests", "[AGENT]", 0, 1, N_("the newest requests, oldest first"),
                       "requests --since=-1h web1"},
    [VERB_SHOW] = {"show", "GUID", 1, 1, N_("one request with its reply"), "show 3f2a"},
    [VERB_STATUS] = {"status", "GUID", 1, 1, N_("ask the agent about a request"), "status 3f2a"},
    [VERB_CANCEL] = {"cancel", "GUID", 1, 1, N_("cancel a request's job"), "cancel 3f2a"},
    [VERB_LOG] = {"log", "[AGENT]", 0, 1, N_("lines that agents wrote for the console"),
                  "log --follow web1"},
    [VERB_ALERTS] = {"alerts", "[AGENT]", 0, 1, N_("the newest alerts, oldest first"),
                     "alerts --since=yesterday"},
    [VERB_NAME] = {"name", "AGENT NAME", 2, 2, N_("name an agent"), "name 4711 web1"},
    [VERB_UNNAME] = {"unname", "AGENT", 1, 1, N_("remove an agent's name"), "unname web1"},
    [VERB_GROUP] = {"group", "AGENT... GROUP", 2, OPERANDS_MAX, N_("put agents into a group"),
                    "group db1 db2 db"},
    [VERB_UNGROUP] = {"ungroup", "AGENT...", 1, TARGETS_MAX, N_("take agents out of their group"),
                      "ungroup db1"},
    [VERB_WAIT_AGENT] = {"wait-agent", "[AGENT]", 0, 1, N_("wait until an agent is connected"),
                         "wait-agent --timeout=60 web1"},
    [VERB_DRAIN] = {"drain", "", .help = N_("send all agents away, and take no others"),
                    .example = "drain --within=300"},
    [VERB_METRICS] = {"metrics", "", .help = N_("print what the manager counts, as OpenMetrics")},
    [VERB_INIT] = {"init", "", .help = N_("make the manager's certificate, with a CA of its own"),
                   .example = "init --name=manager.example.com"},
    [VERB_RENEW] = {"renew", "", .help = N_("renew the certificate that init made")},
    [VERB_AGENT_PACKAGE] = {"agent-package", "[NAME]", 0, 1,
                            .help = N_("a script that connects a server to the manager"),
                            .example = "agent-package web1 >web1.sh"},
    [VERB_ACCEPT] = {"accept", "AGENT", 1, 1, N_("let an agent in that waits or was revoked"),
                     "accept agent-x7k2p9q --name=web1"},
    [VERB_REJECT] = {"reject", "AGENT", 1, 1, N_("refuse an agent that waits"),
                     "reject agent-x7k2p9q"},
    [VERB_REVOKE] = {"revoke", "AGENT", 1, 1, N_("refuse an agent from now on"), "revoke web1"},
    [VERB_FORGET] = {"forget", "AGENT", 1, 1, N_("remove an agent, which may ask again"),
                     "forget web1"},
    [VERB_REPLACE] = {"replace", "AGENT NEWER", 2, 2,
                      N_("give a machine that was installed anew its old place"),
                      "replace web1 agent-x7k2p9q"},
    [VERB_ENROL_TOKEN] = {"enrol-token", "new|list|revoke [TOKEN]", 1, 2,
                          N_("secrets that let agents in without your hand"),
                          "enrol-token new --group=web --uses=20 --expires=1d"},
};

#define ON(verb) (1u << VERB_##verb)
#define LOCAL (ON(SERVE) | ON(INIT) | ON(RENEW) | ON(AGENT_PACKAGE))
#define CLIENTS (((1u << _VERB_MAX) - 1) & ~LOCAL)
#define SILENT                                                                                     \
    (ON(CANCEL) | ON(NAME) | ON(UNNAME) | ON(GROUP) | ON(UNGROUP) | ON(ACCEPT) | ON(REJECT) |      \
     ON(REVOKE) | ON(FORGET) | ON(REPLACE) | ON(DRAIN) | ON(METRICS))
#define LISTS (ON(AGENTS) | ON(REQUESTS) | ON(ALERTS) | ON(ENROL_TOKEN))
#define NEWEST (ON(LOG) | ON(REQUESTS) | ON(ALERTS))

static int parse_seconds(const char *text, void *ret) {
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0 && value <= SECONDS_MAX)) {
        terminal_printf(stderr, _("dcm-manager: not a number of seconds: %s\n"), text);
        return -EINVAL;
    }
    *(double *)ret = value;
    return 0;
}

static int parse_rate(const char *text, void *ret) {
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= RATE_MIN && value <= RATE_MAX)) {
        terminal_printf(stderr, _("dcm-manager: not a number per second: %s\n"), text);
        return -EINVAL;
    }
    *(double *)ret = value;
    return 0;
}

static int parse_within(const char *text, void *ret) {
    double value;

    TRY(parse_seconds(text, &value));
    *(double *)ret = MIN(value, DRAIN_MAX_SEC);
    return 0;
}

static int parse_enrolment(const char *text, void *ret) {
    if (enrolment_mode_from_string(text) < 0) {
        terminal_printf(stderr, _("dcm-manager: not approve, token or open: %s\n"), text);
        return -EINVAL;
    }
    *(const char **)ret = text;
    return 0;
}

static int parse_expires(const char *text, void *ret) {
    uint64_t usec;

    if (span_parse(text, &usec) < 0 || usec > ENROLMENT_EXPIRES_MAX_USEC) {
        terminal_printf(stderr, _("dcm-manager: not a time such as 30min, 1h or 7d: %s\n"), text);
        return -EINVAL;
    }
    *(uint64_t *)ret = usec;
    return 0;
}

static int parse_uses(const char *text, void *ret) {
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end || n < 1 || n > ENROLMENT_USES_MAX) {
        terminal_printf(stderr, _("dcm-manager: not a number from 1 to %d: %s\n"),
                        ENROLMENT_USES_MAX, text);
        return -EINVAL;
    }
    *(uint64_t *)ret = (uint64_t)n;
    return 0;
}

static int append(const char **list, size_t *n, size_t max, const char *value) {
    if (*n == max) {
        terminal_printf(stderr, _("dcm-manager: too many of these: %s\n"), value);
        return -EINVAL;
    }
    list[(*n)++] = value;
    return 0;
}

static int add_listen(const char *value, void *ret) {
    Options *o = ret;

    return append(o->listen, &o->n_listen, LISTEN_MAX, value);
}

static int add_proxy(const char *value, void *ret) {
    Options *o = ret;

    if (o->n_proxies == PROXIES_MAX) {
        terminal_printf(stderr, _("dcm-manager: too many of these: %s\n"), value);
        return -EINVAL;
    }
    if (address_range_parse(value, &o->proxies[o->n_proxies]) < 0) {
        terminal_printf(stderr,
                        _("dcm-manager: not an address, or the beginning of addresses as "
                          "192.0.2.0/24: %s\n"),
                        value);
        return -EINVAL;
    }
    o->n_proxies++;
    return 0;
}

static int add_name(const char *value, void *ret) {
    Options *o = ret;

    return append(o->names, &o->n_names, NAMES_MAX, value);
}

static int add_argument(const char *value, void *ret) {
    Options *o = ret;

    return append(o->arguments, &o->n_arguments, ARGUMENTS_MAX, value);
}

#define MEMBER(member, parse) offsetof(Options, member), parse
#define FLAG(member) MEMBER(member, option_set_flag)

static const Option options[] = {
    {"help", .help = N_("print this help"), .letter = 'h'},
    {"version", .help = N_("print the version")},
    {"control", "SOCKET", MEMBER(control, option_take_text), N_("control socket"), CONTROL_DEFAULT},
    {"debug", NULL, FLAG(debug), N_("log more"), .verbs = ON(SERVE)},
    {"listen", "ADDR:PORT", 0, add_listen, N_("where agents connect; may be repeated"),
     LISTEN_DEFAULT, .verbs = ON(SERVE)},
    {"cert", "FILE", MEMBER(cert, option_take_text), N_("certificate chain"),
     MANAGER_CONFDIR "/cert.pem", .verbs = ON(SERVE)},
    {"key", "FILE", MEMBER(key, option_take_text), N_("its key"), MANAGER_CONFDIR "/key.pem",
     .verbs = ON(SERVE)},
    {"no-tls", NULL, FLAG(no_tls), N_("ws instead of wss: for tests"), .verbs = ON(SERVE)},
    {"database", "FILE", MEMBER(database, option_take_text), N_("database"),
     "$STATE_DIRECTORY/manager.db or " STATE_DIRECTORY_DEFAULT "/manager.db", .verbs = ON(SERVE)},
    {"ping-sec", "SECONDS", MEMBER(ping_sec, parse_seconds), N_("time between pings"), "30",
     .verbs = ON(SERVE)},
    {"retransmit-sec", "SECONDS", MEMBER(retransmit_sec, parse_seconds),
     N_("first wait for an acknowledgement"), "5", .verbs = ON(SERVE)},
    {"handshake-sec", "SECONDS", MEMBER(handshake_sec, parse_seconds),
     N_("time limit for an agent's handshake"), "60", .verbs = ON(SERVE)},
    {"return-sec", "SECONDS", MEMBER(return_sec, parse_seconds),
     N_("agents that are sent away for now come back within this time"), "60", .verbs = ON(SERVE)},
    {"handshakes-per-sec", "N", MEMBER(handshakes_per_sec, parse_rate),
     N_("so many connections begin their handshake at most"), "no limit", .verbs = ON(SERVE)},
    {"new-agents-per-sec", "N", MEMBER(new_agents_per_sec, parse_rate),
     N_("so many new agents are taken at most"), "no limit", .verbs = ON(SERVE)},
    {"proxy-protocol-from", "ADDRESS[/PREFIX]", 0, add_proxy,
     N_("proxies that tell by PROXY protocol 2 for whom they connect; may be repeated"),
     .verbs = ON(SERVE)},
    {"within", "SECONDS", MEMBER(within_sec, parse_within),
     N_("they go one after the other within this time"), "60", .verbs = ON(DRAIN)},
    {"config", "FILE", MEMBER(config, option_take_text), N_("configuration; also FILE.d/*.conf"),
     MANAGER_CONFIG, .verbs = ON(SERVE)},
    {"enrolment", "MODE", MEMBER(enrolment, parse_enrolment),
     N_("how new agents come in: approve, token or open"), "as configured", .verbs = ON(SERVE)},
    {"waiting", NULL, FLAG(waiting), N_("those that wait for you to accept them"),
     .verbs = ON(AGENTS)},
    {"group", "GROUP", MEMBER(group, option_take_text), N_("of the agents that come by the token"),
     .verbs = ON(ENROL_TOKEN) | ON(AGENT_PACKAGE)},
    {"expires", "TIME", MEMBER(expires_usec, parse_expires),
     N_("how long the token is valid: 30min, 1h, 7d"), "1h",
     .verbs = ON(ENROL_TOKEN) | ON(AGENT_PACKAGE)},
    {"uses", "N", MEMBER(uses, parse_uses), N_("how many agents may use the token"), "1",
     .verbs = ON(ENROL_TOKEN)},
    {"name", "NAME", 0, add_name,
     N_("a host name or address of the manager, else the name of this machine; may be repeated; "
        "accept: the agent's name"),
     .verbs = ON(INIT) | ON(RENEW) | ON(ACCEPT)},
    {"directory", "DIR", MEMBER(directory, option_take_text), N_("where certificates and keys are"),
     MANAGER_CONFDIR, .verbs = LOCAL & ~ON(SERVE)},
    {"url", "URL", MEMBER(url, option_take_text),
     N_("how agents reach the manager, else port 8443 of the certificate's first name"),
     .verbs = ON(INIT) | ON(AGENT_PACKAGE)},
    {"arg", "NAME=VALUE", 0, add_argument,
     N_("an argument, a string; NAME:=JSON gives any JSON value"), .verbs = ON(RUN)},
    {"arguments", "FILE", MEMBER(arguments_file, option_take_text),
     N_("a JSON object of arguments; - reads standard input"), .verbs = ON(RUN)},
    {"script", "FILE", MEMBER(script, option_take_text),
     N_("give FILE as b64script and its SHA-256 as checksum"), .verbs = ON(RUN)},
    {"guid", "GUID", MEMBER(guid, option_take_text), N_("the request's id, else a random one"),
     .verbs = ON(RUN)},
    {"long-runner", NULL, FLAG(long_runner), N_("answer at once with a job number"),
     .verbs = ON(RUN)},
    {"wait", NULL, FLAG(wait), N_("wait for the reply, print it and exit with its return code"),
     .verbs = ON(RUN)},
    {"dry-run", NULL, FLAG(dry_run), N_("list the agents that are meant, and order nothing"),
     .verbs = ON(RUN)},
    {"timeout", "SECONDS", MEMBER(timeout_sec, parse_seconds), N_("wait no longer than that"),
     .verbs = ON(RUN) | ON(STATUS) | ON(WAIT_AGENT) | ON(DRAIN)},
    {"json", NULL, FLAG(output.json), N_("machine-readable output"), .letter = 'j',
     .verbs = CLIENTS & ~SILENT},
    {"lines", "N", MEMBER(output.lines, output_parse_lines), N_("the newest N only"),
     "20; log: 100", 'n', NEWEST},
    {"all", NULL, FLAG(output.all), N_("all of them"), .letter = 'a', .verbs = NEWEST | ON(RUN)},
    {"since", "TIME", MEMBER(output.since_usec, output_parse_since),
     N_("those from TIME on: \"2026-11-22 20:01\", yesterday, -1h"), .verbs = NEWEST},
    {"follow", NULL, FLAG(follow), N_("stay, and show what comes"), .letter = 'f',
     .verbs = ON(LOG)},
    {"full", NULL, FLAG(output.full), N_("do not shorten lines to the width of the terminal"),
     .letter = 'l', .verbs = LISTS},
    {"no-legend", NULL, FLAG(output.no_legend), N_("no titles, and no text for empty lists"),
     .verbs = LISTS},
    {"no-pager", NULL, FLAG(output.no_pager), N_("no pager"), .verbs = LISTS | ON(SHOW) | ON(LOG)},
};

static const VerbTable table = {
    "dcm-manager",
    N_("Runs a small agent manager, and orders commands through the one that runs."),
    verbs,
    ELEMENTSOF(verbs),
    options,
    ELEMENTSOF(options),
    -1,
    N_("AGENT is an agent's id, the beginning of one, or the name that you gave it.\n"
       "TARGET is one as well, or a pattern of names ('web*'), a group (@db), platform=debian, "
       "connected; or --all.\n"
       "GUID is the id of a request, or the beginning of one.\n"
       "Exit status: 0 done, 2 wrong usage, 250 timed out, 251 refused by the agent, 252 the "
       "manager is not running, 253 not found, 254 any other failure; run --wait: the return code, "
       "0 to 125, of several agents 1 if some failed and 2 if some did not answer."),
};

static int explain_run(const char *why) {
    (void)fprintf(stderr, "dcm-manager: %s\n", why);
    (void)fprintf(stderr, _("Try %s%s%s --help\n"), "dcm-manager", " ", "run");
    return -EINVAL;
}

/* TARGET... COMMAND, or TARGET... -- COMMAND [NAME=VALUE...]. `n_behind` operands were behind the
 * "--"; if these are all, it has no meaning of its own, unless the targets are --all. */
static int take_run_operands(Options *o, size_t n_behind) {
    const size_t n = (size_t)o->n_operands;
    const bool is_split = n_behind > 0 && (n_behind < n || (n_behind == n && o->output.all));
    const size_t n_targets = is_split ? n - n_behind : n - 1;

    if (o->output.all && n_targets > 0)
        return explain_run(_("run --all takes no other targets"));
    if (!o->output.all && n_targets == 0)
        return explain_run(_("run needs TARGET... COMMAND"));
    o->n_targets = n_targets;
    o->command = o->operands[n_targets];
    for (size_t i = n_targets + 1; i < n; i++)
        TRY(append(o->arguments, &o->n_arguments, ARGUMENTS_MAX, o->operands[i]));
    return 0;
}

/* How many words are behind the first "--"; *ret_dashes: that word, or NULL. */
static size_t find_dashes(int argc, char *argv[], const char **ret_dashes) {
    *ret_dashes = NULL;
    for (int i = 1; i < argc; i++)
        if (streq(argv[i], "--")) {
            *ret_dashes = argv[i];
            return (size_t)(argc - i - 1);
        }
    return 0;
}

int command_line_parse(int argc, char *argv[], void (*complete)(size_t verb, int operand),
                       Options *ret) {
    Options o = {
        .control = CONTROL_DEFAULT,
        .directory = MANAGER_CONFDIR,
        .config = MANAGER_CONFIG,
        .expires_usec = ENROLMENT_EXPIRES_DEFAULT_USEC,
        .uses = 1,
        .ping_sec = PING_DEFAULT_SEC,
        .retransmit_sec = RETRANSMIT_DEFAULT_SEC,
        .handshake_sec = HANDSHAKE_DEFAULT_SEC,
        .return_sec = RETURN_DEFAULT_SEC,
        .within_sec = DRAIN_DEFAULT_SEC,
        .output.lines = LINES_PRESET,
    };
    const char *dashes;
    size_t verb = 0, n_behind;
    int r;

    if (completion_wanted(&table, argc, argv, complete))
        return 0;
    n_behind = find_dashes(argc, argv, &dashes);
    r = verb_table_parse(&table, argc, argv, &o, &verb);
    if (r <= 0)
        return r;
    o.verb = (ManagerVerb)verb;
    if (o.output.all)
        o.output.lines = 0;
    for (int i = optind; i < argc; i++)
        o.operands[o.n_operands++] = argv[i];
    /* getopt(3) has moved it before the verb, unless it is an option's argument */
    if (o.verb == VERB_RUN)
        TRY(take_run_operands(&o, optind >= 2 && argv[optind - 2] == dashes ? n_behind : 0));
    *ret = o;
    return 1;
}
