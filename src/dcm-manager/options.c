/* SPDX-License-Identifier: Apache-2.0 */
/* Options before the verb hold for all verbs; a mask in the table says which verbs take the others.
 * Help is printed from the same tables. */
#include "dcm-manager/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/macro.h"
#include "basic/option-table.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-manager/limits.h"

#define SECONDS_MAX (30.0 * 24 * 3600)

static const struct {
    const char *name;
    const char *operands;
    int min, max;
    const char *help;
} verbs[_VERB_MAX] = {
    [VERB_SERVE] = {"serve", "", 0, 0, N_("run the agent manager")},
    [VERB_AGENTS] = {"agents", "", 0, 0, N_("list the agents")},
    [VERB_RUN] = {"run", "AGENT COMMAND", 2, 2, N_("order a command")},
    [VERB_REQUESTS] = {"requests", "[AGENT]", 0, 1, N_("list the newest requests")},
    [VERB_SHOW] = {"show", "GUID", 1, 1, N_("show a request and its reply")},
    [VERB_STATUS] = {"status", "GUID", 1, 1, N_("ask the agent about a request")},
    [VERB_CANCEL] = {"cancel", "GUID", 1, 1, N_("cancel a request's job")},
    [VERB_LOG] = {"log", "[AGENT]", 0, 1, N_("show the agents' console lines")},
    [VERB_ALERTS] = {"alerts", "[AGENT]", 0, 1, N_("list the newest alerts")},
    [VERB_NAME] = {"name", "AGENT NAME", 2, 2, N_("name an agent")},
    [VERB_UNNAME] = {"unname", "AGENT", 1, 1, N_("remove an agent's name")},
    [VERB_WAIT_AGENT] = {"wait-agent", "[AGENT]", 0, 1, N_("wait until an agent is connected")},
};

#define ON(verb) (1u << (verb))
#define CLIENTS (~ON(VERB_SERVE))
#define LISTS (ON(VERB_LOG) | ON(VERB_REQUESTS) | ON(VERB_ALERTS))

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

static int parse_seconds(const char *text, void *ret) {
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0 && value <= SECONDS_MAX))
        return complain(_("'%s' is not a number of seconds"), text);
    *(double *)ret = value;
    return 0;
}

static int parse_lines(const char *text, void *ret) {
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < 0 || value > CONTROL_LOG_LINES_MAX)
        return complain(_("'%s' is not a number of lines"), text);
    *(int *)ret = (int)value;
    return 0;
}

static int append(const char **list, size_t *n, size_t max, const char *value) {
    if (*n == max)
        return complain(_("too many of these: %s"), value);
    list[(*n)++] = value;
    return 0;
}

static int parse_output(const char *text, void *ret) {
    bool is_json = *(bool *)ret = streq(text, "json");

    return is_json || streq(text, "text") ? 0 : complain(_("'%s' is neither text nor json"), text);
}

static int add_listen(const char *value, void *ret) {
    Options *o = ret;

    return append(o->listen, &o->n_listen, LISTEN_MAX, value);
}

static int add_argument(const char *value, void *ret) {
    Options *o = ret;

    return append(o->arguments, &o->n_arguments, ARGUMENTS_MAX, value);
}

#define MEMBER(member, parse) offsetof(Options, member), parse

static const Option options[] = {
    {"help", .help = N_("print this help"), .letter = 'h'},
    {"version", .help = N_("print the version")},
    {"control", "SOCKET", MEMBER(control, option_take_text),
     N_("control socket, " CONTROL_DEFAULT)},
    {"debug", NULL, MEMBER(debug, option_set_flag), N_("log more"), .verbs = ON(VERB_SERVE)},
    {"listen", "ADDR:PORT", 0, add_listen,
     N_("address for agents, " LISTEN_DEFAULT "; may be repeated"), .verbs = ON(VERB_SERVE)},
    {"cert", "FILE", MEMBER(cert, option_take_text),
     N_("certificate chain, " MANAGER_CONFDIR "/cert.pem"), .verbs = ON(VERB_SERVE)},
    {"key", "FILE", MEMBER(key, option_take_text), N_("its key, " MANAGER_CONFDIR "/key.pem"),
     .verbs = ON(VERB_SERVE)},
    {"no-tls", NULL, MEMBER(no_tls, option_set_flag), N_("ws instead of wss: for tests"),
     .verbs = ON(VERB_SERVE)},
    {"database", "FILE", MEMBER(database, option_take_text),
     N_("$STATE_DIRECTORY/manager.db or " STATE_DIRECTORY_DEFAULT "/manager.db"),
     .verbs = ON(VERB_SERVE)},
    {"ping-sec", "SECONDS", MEMBER(ping_sec, parse_seconds), N_("time between pings, 30"),
     .verbs = ON(VERB_SERVE)},
    {"retransmit-sec", "SECONDS", MEMBER(retransmit_sec, parse_seconds),
     N_("first wait for an acknowledgement, 5"), .verbs = ON(VERB_SERVE)},
    {"handshake-sec", "SECONDS", MEMBER(handshake_sec, parse_seconds),
     N_("time limit for an agent's handshake, 60"), .verbs = ON(VERB_SERVE)},
    {"arg", "NAME=VALUE", 0, add_argument,
     N_("an argument, a string; NAME:=JSON gives any JSON value"), .verbs = ON(VERB_RUN)},
    {"json", "FILE", MEMBER(json_file, option_take_text),
     N_("a JSON object of arguments; - reads standard input"), .verbs = ON(VERB_RUN)},
    {"script", "FILE", MEMBER(script, option_take_text),
     N_("send FILE as b64script and its SHA-256 as checksum"), .verbs = ON(VERB_RUN)},
    {"guid", "GUID", MEMBER(guid, option_take_text), N_("the request's id; random by default"),
     .verbs = ON(VERB_RUN)},
    {"long-runner", NULL, MEMBER(long_runner, option_set_flag),
     N_("answer at once with a job number"), .verbs = ON(VERB_RUN)},
    {"wait", NULL, MEMBER(wait, option_set_flag),
     N_("wait for the reply, print it and exit with its return code"), .verbs = ON(VERB_RUN)},
    {"output", "text|json", MEMBER(output_json, parse_output),
     N_("json prints the reply unchanged"), .verbs = ON(VERB_RUN)},
    {"timeout", "SECONDS", MEMBER(timeout_sec, parse_seconds), N_("time limit of the wait"),
     .verbs = ON(VERB_RUN) | ON(VERB_STATUS) | ON(VERB_WAIT_AGENT)},
    {"json", NULL, MEMBER(json, option_set_flag), N_("print JSON"),
     .verbs = CLIENTS & ~ON(VERB_RUN)},
    {"lines", "N", MEMBER(lines, parse_lines), N_("number of entries"), .letter = 'n',
     .verbs = LISTS},
    {"follow", NULL, MEMBER(follow, option_set_flag), N_("follow new lines"),
     .verbs = ON(VERB_LOG)},
};

static void print_help(void) {
    printf("%s\n\n%s\n", _("Usage: dcm-manager [OPTION...] VERB [OPTION...]"), _("Verbs:"));
    for (size_t i = 0; i < _VERB_MAX; i++) {
        char text[64];

        (void)utf8_format(text, sizeof(text), "%s %s", verbs[i].name, verbs[i].operands);
        printf("  %-26s %s\n", text, _(verbs[i].help));
    }
    printf("\n%s\n", _("Options:"));
    options_print(options, ELEMENTSOF(options), 0);
    printf("\n%s\n%s\n", _("'dcm-manager VERB --help' lists the options of a verb."),
           _("AGENT is an agent's id, the beginning of one, or the name that you gave it."));
}

static void print_verb_help(Verb verb) {
    printf(_("Usage: dcm-manager %s [OPTION...] %s"), verbs[verb].name, verbs[verb].operands);
    printf("\n\n%s\n\n%s\n", _(verbs[verb].help), _("Options:"));
    options_print(options, ELEMENTSOF(options), ON(verb));
}

/* `verb` NULL: before the verb. 0: --help or --version is done. */
static int parse_options(int argc, char *argv[], Options *o, const Verb *verb) {
    const Option *asked = NULL;
    int r;

    optind = 0;
    r = options_take(options, ELEMENTSOF(options), verb ? ON(*verb) : 0, argc, argv, o, &asked);
    if (r != 0)
        return r;
    if (streq(asked->name, "version"))
        printf("dcm-manager %s\n", PROJECT_VERSION);
    else if (verb)
        print_verb_help(*verb);
    else
        print_help();
    return 0;
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

    r = parse_options(argc, argv, &o, NULL);
    if (r <= 0)
        return r;
    if (optind >= argc)
        return complain(_("a verb is missing"));
    TRY(find_verb(argv[optind], &o.verb));
    argc -= optind;
    argv += optind;
    r = parse_options(argc, argv, &o, &o.verb);
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
