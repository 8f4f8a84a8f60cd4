/* SPDX-License-Identifier: Apache-2.0 */
/* Options before the verb hold for all verbs; which others a verb takes is a mask in their table.
 * Help is printed from the same tables. */
#include "dcm-manager/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/macro.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-manager/limits.h"

#define SECONDS_MAX (30.0 * 24 * 3600)

typedef enum OptionId {
    OPTION_HELP = 256,
    OPTION_VERSION,
    OPTION_CONTROL,
    OPTION_DEBUG,
    OPTION_LISTEN,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_NO_TLS,
    OPTION_DATABASE,
    OPTION_PING,
    OPTION_RETRANSMIT,
    OPTION_HANDSHAKE,
    OPTION_ARG,
    OPTION_JSON_FILE,
    OPTION_SCRIPT,
    OPTION_GUID,
    OPTION_LONG,
    OPTION_WAIT,
    OPTION_TIMEOUT,
    OPTION_OUTPUT,
    OPTION_JSON,
    OPTION_LINES,
    OPTION_FOLLOW,
} OptionId;

static const struct {
    const char *name;
    const char *operands;
    int min, max;
    const char *help;
} verbs[_VERB_MAX] = {
    [VERB_SERVE] = {"serve", "", 0, 0, N_("be the agent manager")},
    [VERB_AGENTS] = {"agents", "", 0, 0, N_("list the agents")},
    [VERB_RUN] = {"run", "AGENT COMMAND", 2, 2, N_("order a command")},
    [VERB_REQUESTS] = {"requests", "[AGENT]", 0, 1, N_("list the newest requests")},
    [VERB_SHOW] = {"show", "GUID", 1, 1, N_("show a request and its reply")},
    [VERB_STATUS] = {"status", "GUID", 1, 1, N_("ask the agent about a request")},
    [VERB_CANCEL] = {"cancel", "GUID", 1, 1, N_("order the end of a request's job")},
    [VERB_LOG] = {"log", "[AGENT]", 0, 1, N_("show the agents' console lines")},
    [VERB_ALERTS] = {"alerts", "[AGENT]", 0, 1, N_("list the newest alerts")},
    [VERB_NAME] = {"name", "AGENT NAME", 2, 2, N_("name an agent")},
    [VERB_UNNAME] = {"unname", "AGENT", 1, 1, N_("take an agent's name away")},
    [VERB_WAIT_AGENT] = {"wait-agent", "[AGENT]", 0, 1, N_("wait until an agent is connected")},
};

#define ON(verb) (1u << (verb))
#define ALL (~0u)
#define CLIENTS (ALL & ~ON(VERB_SERVE))
#define LISTS (ON(VERB_LOG) | ON(VERB_REQUESTS) | ON(VERB_ALERTS))

static const struct {
    const char *name;
    const char *argument; /* NULL: takes none */
    OptionId id;
    unsigned verbs;
    const char *help;
} options[] = {
    {"help", NULL, OPTION_HELP, ALL, N_("show this help")},
    {"version", NULL, OPTION_VERSION, ALL, N_("show the version")},
    {"control", "SOCKET", OPTION_CONTROL, ALL, N_("control socket, " CONTROL_DEFAULT)},
    {"debug", NULL, OPTION_DEBUG, ON(VERB_SERVE), N_("log more")},
    {"listen", "ADDR:PORT", OPTION_LISTEN, ON(VERB_SERVE),
     N_("where agents connect, " LISTEN_DEFAULT "; may be repeated")},
    {"cert", "FILE", OPTION_CERT, ON(VERB_SERVE),
     N_("certificate chain, " MANAGER_CONFDIR "/cert.pem")},
    {"key", "FILE", OPTION_KEY, ON(VERB_SERVE), N_("its key, " MANAGER_CONFDIR "/key.pem")},
    {"no-tls", NULL, OPTION_NO_TLS, ON(VERB_SERVE), N_("ws instead of wss: for tests")},
    {"database", "FILE", OPTION_DATABASE, ON(VERB_SERVE),
     N_("$STATE_DIRECTORY/manager.db or " STATE_DIRECTORY_DEFAULT "/manager.db")},
    {"ping-sec", "SECONDS", OPTION_PING, ON(VERB_SERVE), N_("time between pings, 30")},
    {"retransmit-sec", "SECONDS", OPTION_RETRANSMIT, ON(VERB_SERVE),
     N_("first wait for an acknowledgement, 5")},
    {"handshake-sec", "SECONDS", OPTION_HANDSHAKE, ON(VERB_SERVE),
     N_("time an agent has to introduce itself, 60")},
    {"arg", "NAME=VALUE", OPTION_ARG, ON(VERB_RUN),
     N_("an argument, a string; NAME:=JSON gives any JSON value")},
    {"json", "FILE", OPTION_JSON_FILE, ON(VERB_RUN),
     N_("a JSON object of arguments; - reads standard input")},
    {"script", "FILE", OPTION_SCRIPT, ON(VERB_RUN),
     N_("give FILE as b64script and its SHA-256 as checksum")},
    {"guid", "GUID", OPTION_GUID, ON(VERB_RUN), N_("the request's id, else a random one")},
    {"long-runner", NULL, OPTION_LONG, ON(VERB_RUN), N_("answer at once with a job number")},
    {"wait", NULL, OPTION_WAIT, ON(VERB_RUN),
     N_("wait for the reply, print it and exit with its return code")},
    {"output", "text|json", OPTION_OUTPUT, ON(VERB_RUN), N_("json prints the reply as it came")},
    {"timeout", "SECONDS", OPTION_TIMEOUT, ON(VERB_RUN) | ON(VERB_STATUS) | ON(VERB_WAIT_AGENT),
     N_("wait no longer than that")},
    {"json", NULL, OPTION_JSON, CLIENTS & ~ON(VERB_RUN), N_("print JSON")},
    {"lines", "N", OPTION_LINES, LISTS, N_("or -n N: how many")},
    {"follow", NULL, OPTION_FOLLOW, ON(VERB_LOG), N_("go on with new lines as they come")},
};

static int complain(const char *format, ...) _printf_(1, 2);
static int complain(const char *format, ...) {
    char text[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    terminal_printf(stderr, "dcm-manager: %s\n", text);
    (void)fprintf(stderr, "%s\n", _("'dcm-manager --help' tells more."));
    return -EINVAL;
}

static void print_options(unsigned mask, bool exact) {
    for (size_t i = 0; i < ELEMENTSOF(options); i++) {
        char text[64];

        if (exact ? options[i].verbs != mask : !(options[i].verbs & mask))
            continue;
        (void)utf8_format(text, sizeof(text), "--%s%s%s", options[i].name,
                          options[i].argument ? " " : "", strempty(options[i].argument));
        printf("  %-26s %s\n", text, _(options[i].help));
    }
}

static void print_help(void) {
    printf("%s\n\n%s\n", _("Usage: dcm-manager [OPTION...] VERB [OPTION...]"), _("Verbs:"));
    for (size_t i = 0; i < _VERB_MAX; i++) {
        char text[64];

        (void)utf8_format(text, sizeof(text), "%s %s", verbs[i].name, verbs[i].operands);
        printf("  %-26s %s\n", text, _(verbs[i].help));
    }
    printf("\n%s\n", _("Options:"));
    print_options(ALL, true);
    printf("\n%s\n%s\n", _("'dcm-manager VERB --help' lists the options of a verb."),
           _("AGENT is an agent's id, the beginning of one, or the name that you gave it."));
}

static void print_verb_help(Verb verb) {
    printf(_("Usage: dcm-manager %s [OPTION...] %s"), verbs[verb].name, verbs[verb].operands);
    printf("\n\n%s\n\n%s\n", _(verbs[verb].help), _("Options:"));
    print_options(ON(verb), false);
}

static int parse_seconds(const char *text, double *ret) {
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0 && value <= SECONDS_MAX))
        return complain(_("'%s' is not a number of seconds"), text);
    *ret = value;
    return 0;
}

static int parse_lines(const char *text, int *ret) {
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < 0 || value > CONTROL_LOG_LINES_MAX)
        return complain(_("'%s' is not a number of lines"), text);
    *ret = (int)value;
    return 0;
}

static int append(const char **list, size_t *n, size_t max, const char *value) {
    if (*n == max)
        return complain(_("too many of these: %s"), value);
    list[(*n)++] = value;
    return 0;
}

static int parse_output(const char *text, bool *ret) {
    *ret = streq(text, "json");
    return *ret || streq(text, "text") ? 0 : complain(_("'%s' is neither text nor json"), text);
}

static int take_serve_option(Options *o, int id, const char *value) {
    switch (id) {
    case OPTION_LISTEN:
        return append(o->listen, &o->n_listen, LISTEN_MAX, value);
    case OPTION_CERT:
        o->cert = value;
        return 0;
    case OPTION_KEY:
        o->key = value;
        return 0;
    case OPTION_NO_TLS:
        o->no_tls = true;
        return 0;
    case OPTION_DATABASE:
        o->database = value;
        return 0;
    case OPTION_PING:
        return parse_seconds(value, &o->ping_sec);
    case OPTION_RETRANSMIT:
        return parse_seconds(value, &o->retransmit_sec);
    case OPTION_HANDSHAKE:
        return parse_seconds(value, &o->handshake_sec);
    default:
        return -EINVAL; /* getopt_long() has complained */
    }
}

static int take_option(Options *o, int id, const char *value) {
    switch (id) {
    case OPTION_CONTROL:
        o->control = value;
        return 0;
    case OPTION_DEBUG:
        o->debug = true;
        return 0;
    case OPTION_ARG:
        return append(o->arguments, &o->n_arguments, ARGUMENTS_MAX, value);
    case OPTION_JSON_FILE:
        o->json_file = value;
        return 0;
    case OPTION_SCRIPT:
        o->script = value;
        return 0;
    case OPTION_GUID:
        o->guid = value;
        return 0;
    case OPTION_LONG:
        o->long_runner = true;
        return 0;
    case OPTION_WAIT:
        o->wait = true;
        return 0;
    case OPTION_TIMEOUT:
        return parse_seconds(value, &o->timeout_sec);
    case OPTION_OUTPUT:
        return parse_output(value, &o->output_json);
    case OPTION_JSON:
        o->json = true;
        return 0;
    case OPTION_LINES:
    case 'n':
        return parse_lines(value, &o->lines);
    case OPTION_FOLLOW:
        o->follow = true;
        return 0;
    default:
        return take_serve_option(o, id, value);
    }
}

/* 0: --help or --version was done */
static int parse_options(int argc, char *argv[], const char *shorts, unsigned mask, Options *o,
                         const Verb *verb) {
    struct option table[ELEMENTSOF(options) + 1] = {};
    size_t n = 0;
    int id, r;

    for (size_t i = 0; i < ELEMENTSOF(options); i++)
        if (mask == ALL ? options[i].verbs == ALL : options[i].verbs & mask)
            table[n++] = (struct option){options[i].name,
                                         options[i].argument ? required_argument : no_argument,
                                         NULL, options[i].id};
    while ((id = getopt_long(argc, argv, shorts, table, NULL)) >= 0) {
        if (id == OPTION_HELP || id == 'h') {
            if (verb)
                print_verb_help(*verb);
            else
                print_help();
            return 0;
        }
        if (id == OPTION_VERSION) {
            printf("dcm-manager %s\n", PROJECT_VERSION);
            return 0;
        }
        r = take_option(o, id, optarg);
        if (r < 0)
            return r;
    }
    return 1;
}

static int find_verb(const char *name, Verb *ret) {
    for (Verb v = 0; v < _VERB_MAX; v++)
        if (streq(verbs[v].name, name)) {
            *ret = v;
            return 0;
        }
    return complain(_("there is no verb '%s'"), name);
}

int options_parse(int argc, char *argv[], Options *ret) {
    Options o = {
        .control = CONTROL_DEFAULT,
        .ping_sec = PING_DEFAULT_SEC,
        .retransmit_sec = RETRANSMIT_DEFAULT_SEC,
        .handshake_sec = HANDSHAKE_DEFAULT_SEC,
        .lines = -1,
    };
    int r, n;

    optind = 0;
    r = parse_options(argc, argv, "+h", ALL, &o, NULL);
    if (r <= 0)
        return r;
    if (optind >= argc)
        return complain(_("a verb is missing"));
    r = find_verb(argv[optind], &o.verb);
    if (r < 0)
        return r;
    argc -= optind;
    argv += optind;
    optind = 0;
    r = parse_options(argc, argv, ON(o.verb) & LISTS ? "hn:" : "h", ON(o.verb), &o, &o.verb);
    if (r <= 0)
        return r;
    n = argc - optind;
    if (n < verbs[o.verb].min || n > verbs[o.verb].max)
        return complain(_("wrong number of operands; see 'dcm-manager %s --help'"),
                        verbs[o.verb].name);
    for (o.n_operands = 0; o.n_operands < n; o.n_operands++)
        o.operands[o.n_operands] = argv[optind + o.n_operands];
    *ret = o;
    return 1;
}
