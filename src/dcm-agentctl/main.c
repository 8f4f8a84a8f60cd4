/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/option-table.h"
#include "dcm-agentctl/helper.h"
#include "dcm-agentctl/verbs.h"

typedef struct Verb {
    const char *name;
    const char *arguments;
    int n_arguments;
    bool needs_bus;
    int (*run)(const Context *c, int argc, char *argv[]);
    const char *help;
} Verb;

static const Verb verbs[] = {
    {"status", "", 0, true, verb_status,
     N_("connection, identity and open requests (the default)")},
    {"requests", "", 0, true, verb_requests, N_("the newest requests, oldest first")},
    {"jobs", "", 0, true, verb_jobs, N_("waiting and running jobs and their resource usage")},
    {"top", "", 0, true, verb_top, N_("the machine and its jobs, live")},
    {"stats", "[NAME]", 1, true, verb_stats,
     N_("measurements: an overview, or the samples of statistic NAME")},
    {"show", "GUID", 1, true, verb_show, N_("one request with its reply (root)")},
    {"cancel", "GUID", 1, true, verb_cancel, N_("cancel the job of a request (root)")},
    {"commands", "[NAME]", 1, true, verb_commands,
     N_("commands that the manager can order, or one of them")},
    {"alerts", "", 0, true, verb_alerts, N_("the newest alerts, oldest first (root)")},
    {"users", "", 0, true, verb_users, N_("users of this server that the agent created")},
    {"seal-token", "KEY", 1, false, verb_seal_token,
     N_("encrypt the agent's token by host, tpm2 or auto (root)")},
    {"doctor", "", 0, false, verb_doctor, N_("check the connection to the manager step by step")},
    {"config", "", 0, false, verb_config,
     N_("check the configuration, or show each value with its place (--help)")},
    {"output", "GUID", 1, false, verb_output, N_("output of a job (root)")},
    {"pause", "", 0, true, verb_pause, N_("start no new jobs; running jobs continue (root)")},
    {"resume", "", 0, true, verb_resume, N_("start jobs again (root)")},
    {"reconnect", "", 0, true, verb_reconnect,
     N_("reconnect now, without waiting for the next attempt (root)")},
    {"reload", "", 0, true, verb_reload, N_("read the configuration again (root)")},
};

static int parse_limit(const char *value, void *ret) {
    unsigned long n;
    char *end;

    errno = 0;
    n = strtoul(value, &end, 10);
    if (errno != 0 || *end || end == value || *value == '-') {
        terminal_printf(stderr, _("Not a number: %s\n"), value);
        return -EINVAL;
    }
    *(uint32_t *)ret = (uint32_t)n;
    return 0;
}

#define FLAG(member) offsetof(Context, member), option_set_flag

static const Option options[] = {
    {"json", NULL, FLAG(json), N_("machine-readable output"), .letter = 'j'},
    {"limit", "N", offsetof(Context, limit), parse_limit,
     N_("how many requests, alerts or samples are listed (20; 0: all)"), .letter = 'n'},
    {"follow", NULL, FLAG(follow), N_("jobs: follow changes"), .letter = 'f'},
    {"csv", NULL, FLAG(csv), N_("stats: comma-separated values")},
    {"refuse", NULL, FLAG(refuse), N_("pause: refuse new jobs instead of having them wait")},
    {"version", .help = N_("print the version")},
    {"help", .help = N_("print this help"), .letter = 'h'},
};

static void help(void) {
    (void)printf(_("dcm-agentctl [OPTION...] [VERB]\n\n"
                   "Shows and controls the cloud server agent.\n\nVerbs:\n"));
    for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
        (void)printf("  %s %-*s %s\n", verbs[i].name, (int)(16 - strlen(verbs[i].name)),
                     verbs[i].arguments, _(verbs[i].help));
    (void)printf("\n%s\n", _("Options:"));
    options_print(options, ELEMENTSOF(options), ~0u);
    (void)printf("\n%s\n", _("Exit status: 0 done, 1 failed, 2 wrong usage; status: 3 if not "
                             "connected."));
}

static const Verb *find_verb(const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
        if (streq(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

/* 1: continue; 0: done; -EINVAL: invalid usage */
static int parse_options(int argc, char *argv[], Context *c) {
    const Option *asked = NULL;
    int r;

    r = options_take(options, ELEMENTSOF(options), ~0u, argc, argv, c, &asked);
    if (r == 0 && streq(asked->name, "version"))
        (void)printf("dcm-agentctl %s\n", PROJECT_VERSION);
    else if (r == 0)
        help();
    return r;
}

static int run_verb(Context *c, const Verb *verb, int argc, char *argv[]) {
    int r = 0;

    if (verb->needs_bus)
        r = sd_bus_open_system(&c->bus);
    if (r < 0) {
        (void)fprintf(stderr, _("The system bus cannot be reached: %s\n"), strerror(-r));
        return EXIT_FAILURE;
    }
    r = verb->run(c, argc, argv);
    sd_bus_flush_close_unref(c->bus);
    return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char *argv[]) {
    Context c = {.limit = 20};
    const Verb *verb;
    int n, r;

    i18n_init();
    if (argc > 1 && streq(argv[1], "doctor")) /* it parses its own options */
        return helper_exec("dcm-doctor", argv + 1);
    if (argc > 1 && streq(argv[1], "config"))
        return helper_exec("dcm-config", argv + 1);
    r = parse_options(argc, argv, &c);
    if (r <= 0) {
        if (r < 0)
            (void)fprintf(stderr, _("Try dcm-agentctl --help\n"));
        return r < 0 ? 2 : EXIT_SUCCESS;
    }
    verb = find_verb(optind < argc ? argv[optind] : "status");
    n = MAX(argc - optind - 1, 0);
    if (!verb || n > verb->n_arguments ||
        (verb->arguments[0] != '[' && n < verb->n_arguments)) { /* "[NAME]" is optional */
        (void)fprintf(stderr, verb ? _("Wrong number of arguments. Try dcm-agentctl --help\n")
                                   : _("Unknown verb. Try dcm-agentctl --help\n"));
        return 2;
    }
    return run_verb(&c, verb, n, argv + optind + 1);
}
