/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "cli/completion.h"
#include "dcm-agentctl/verbs.h"

enum {
    VERB_STATUS,
    VERB_INFO,
    VERB_REQUESTS,
    VERB_SHOW,
    VERB_OUTPUT,
    VERB_CANCEL,
    VERB_JOBS,
    VERB_TOP,
    VERB_STATS,
    VERB_ALERTS,
    VERB_BACKUPS,
    VERB_COMMANDS,
    VERB_USERS,
    VERB_DOCTOR,
    VERB_CONFIG,
    VERB_CONFIGURE,
    VERB_MIGRATE,
    VERB_REPORT,
    VERB_UPGRADE,
    VERB_SCRUB,
    VERB_SEAL_TOKEN,
    VERB_UNREGISTER,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_RECONNECT,
    VERB_RELOAD,
    _VERB_MAX,
};

static const Verb verbs[_VERB_MAX] = {
    [VERB_STATUS] = {"status", "",
                     .help = N_("connection, identity and open requests (the default)"),
                     .example = "status --json"},
    [VERB_INFO] = {"info", "", .help = N_("which agent this is: version, process, ids, requests"),
                   .example = "info --json"},
    [VERB_REQUESTS] = {"requests", "", .help = N_("the newest requests, oldest first"),
                       .example = "requests --since=-1h"},
    [VERB_SHOW] = {"show", "GUID", 1, 1, N_("one request with its reply (root)"), "show 3f2a"},
    [VERB_OUTPUT] = {"output", "GUID", 1, 1, N_("output of a job (root)"), "output --follow 3f2a"},
    [VERB_CANCEL] = {"cancel", "GUID", 1, 1, N_("cancel the job of a request (root)"),
                     "cancel 3f2a"},
    [VERB_JOBS] = {"jobs", "", .help = N_("waiting and running jobs and their resource usage"),
                   .example = "jobs --follow"},
    [VERB_TOP] = {"top", "", .help = N_("the machine and its jobs, live")},
    [VERB_STATS] = {"stats", "[NAME]", 0, 1,
                    N_("measurements: an overview, or the samples of statistic NAME"),
                    "stats --csv --lines=0 overview"},
    [VERB_ALERTS] = {"alerts", "", .help = N_("the newest alerts, oldest first (root)"),
                     .example = "alerts --since=yesterday"},
    [VERB_BACKUPS] = {"backups", "", .help = N_("backups and their schedules"),
                      .example = "backups --json"},
    [VERB_COMMANDS] = {"commands", "[NAME]", 0, 1,
                       N_("commands that the manager can order, or one of them"),
                       "commands run_script"},
    [VERB_USERS] = {"users", "", .help = N_("users of this server that the agent created")},
    [VERB_DOCTOR] = {"doctor", "", .help = N_("check the connection to the manager step by step"),
                     .is_program = true},
    [VERB_CONFIG] = {"config", "", .n_max = 1,
                     .help =
                         N_("check the configuration, or show each value with its place (--help)"),
                     .is_program = true},
    [VERB_CONFIGURE] = {"configure", "",
                        .help = N_("write the configuration, and try it (root; --help)"),
                        .is_program = true},
    [VERB_MIGRATE] = {"migrate", "",
                      .help = N_("take the place of the Python agent (root; --help)"),
                      .is_program = true},
    [VERB_REPORT] = {"report", "[FILE]", 0, 1,
                     N_("collect what helps to find a problem in one archive (root)"),
                     "report /root/report.tar.gz"},
    [VERB_UPGRADE] = {"upgrade", "[VERSION]", 0, 1,
                      N_("upgrade the agent, with a way back (root; --help)"), "upgrade",
                      .is_program = true},
    [VERB_SCRUB] = {"scrub", "",
                    .help = N_("make this machine ready to become an image (root; --help)"),
                    .is_program = true},
    [VERB_SEAL_TOKEN] = {"seal-token", "KEY", 1, 1,
                         N_("encrypt the agent's token by host, tpm2 or auto (root)"),
                         "seal-token host"},
    [VERB_UNREGISTER] = {"unregister", "",
                         .help = N_("take this agent away from its manager, and stop it (root)")},
    [VERB_PAUSE] = {"pause", "", .help = N_("start no new jobs; running jobs continue (root)")},
    [VERB_RESUME] = {"resume", "", .help = N_("start jobs again (root)")},
    [VERB_RECONNECT] = {"reconnect", "",
                        .help = N_("reconnect now, without waiting for the next attempt (root)")},
    [VERB_RELOAD] = {"reload", "", .help = N_("read the configuration again (root)")},
};

#define ON(verb) (1u << VERB_##verb)
#define LISTS (ON(REQUESTS) | ON(JOBS) | ON(ALERTS) | ON(BACKUPS) | ON(COMMANDS) | ON(USERS))
#define OUTPUT(member) offsetof(Context, output.member)
#define FLAG(member) offsetof(Context, member), option_set_flag

static const Option options[] = {
    {"json", NULL, FLAG(output.json), N_("machine-readable output"), .letter = 'j',
     .verbs = LISTS | ON(STATUS) | ON(INFO) | ON(SHOW) | ON(STATS) | ON(DOCTOR) | ON(CONFIG)},
    {"lines", "N", OUTPUT(lines), output_parse_lines, N_("the newest N only"), "20", 'n',
     ON(REQUESTS) | ON(ALERTS) | ON(STATS)},
    {"all", NULL, FLAG(output.all), N_("all of them"), .letter = 'a',
     .verbs = ON(REQUESTS) | ON(ALERTS) | ON(STATS)},
    {"since", "TIME", OUTPUT(since_usec), output_parse_since,
     N_("those from TIME on: \"2026-11-22 20:01\", yesterday, -1h"),
     .verbs = ON(REQUESTS) | ON(ALERTS) | ON(STATS)},
    {"follow", NULL, FLAG(follow), N_("stay, and show what comes"), .letter = 'f',
     .verbs = ON(JOBS) | ON(SHOW) | ON(OUTPUT)},
    {"full", NULL, FLAG(output.full), N_("do not shorten lines to the width of the terminal"),
     .letter = 'l', .verbs = LISTS},
    {"no-legend", NULL, FLAG(output.no_legend), N_("no titles, and no text for empty lists"),
     .verbs = LISTS},
    {"no-pager", NULL, FLAG(output.no_pager), N_("no pager"),
     .verbs = LISTS | ON(SHOW) | ON(STATS) | ON(STATUS) | ON(INFO) | ON(DOCTOR) | ON(CONFIG)},
    {"csv", NULL, FLAG(csv), N_("comma-separated values"), .verbs = ON(STATS)},
    {"refuse", NULL, FLAG(refuse), N_("refuse new jobs instead of having them wait"),
     .verbs = ON(PAUSE)},
    {"check", NULL, FLAG(of_program), N_("report all mistakes"), .verbs = ON(CONFIG)},
    {"effective", NULL, FLAG(of_program), N_("print each value with the file and line that set it"),
     .verbs = ON(CONFIG)},
    {"version", .help = N_("print the version")},
    {"help", .help = N_("print this help"), .letter = 'h'},
};

static const VerbTable table = {
    "dcm-agentctl",
    N_("Shows and controls the cloud server agent."),
    verbs,
    ELEMENTSOF(verbs),
    options,
    ELEMENTSOF(options),
    VERB_STATUS,
    N_("GUID is the id of a request, or the beginning of one.\n"
       "Exit status: 0 done, 1 failed, 2 wrong usage, 3 the agent is not running (status: or not "
       "connected), 4 permission denied."),
};

static VerbFunction *const functions[_VERB_MAX] = {
    [VERB_STATUS] = verb_status,     [VERB_INFO] = verb_info,
    [VERB_REQUESTS] = verb_requests, [VERB_SHOW] = verb_show,
    [VERB_OUTPUT] = verb_output,     [VERB_CANCEL] = verb_cancel,
    [VERB_JOBS] = verb_jobs,         [VERB_TOP] = verb_top,
    [VERB_STATS] = verb_stats,       [VERB_ALERTS] = verb_alerts,
    [VERB_BACKUPS] = verb_backups,   [VERB_COMMANDS] = verb_commands,
    [VERB_USERS] = verb_users,       [VERB_DOCTOR] = verb_doctor,
    [VERB_CONFIG] = verb_config,     [VERB_CONFIGURE] = verb_configure,
    [VERB_MIGRATE] = verb_migrate,   [VERB_REPORT] = verb_report,
    [VERB_UPGRADE] = verb_upgrade,   [VERB_SEAL_TOKEN] = verb_seal_token,
    [VERB_SCRUB] = verb_scrub,       [VERB_PAUSE] = verb_pause,
    [VERB_RESUME] = verb_resume,     [VERB_RECONNECT] = verb_reconnect,
    [VERB_RELOAD] = verb_reload,     [VERB_UNREGISTER] = verb_unregister,
};

/* These work without the agent. */
static bool needs_bus(size_t verb) {
    return verb != VERB_DOCTOR && verb != VERB_CONFIG && verb != VERB_CONFIGURE &&
           verb != VERB_MIGRATE && verb != VERB_REPORT && verb != VERB_UPGRADE &&
           verb != VERB_SCRUB && verb != VERB_SEAL_TOKEN && verb != VERB_OUTPUT;
}

/* What the agent can be asked for; a shell wants no errors. */
static void complete(size_t verb, int operand) {
    static const struct {
        size_t verb;
        const char *method;
    } lists[] = {{VERB_SHOW, "ListRequests"},
                 {VERB_CANCEL, "ListJobs"},
                 {VERB_OUTPUT, "ListRequests"},
                 {VERB_COMMANDS, "ListCommands"}};

    if (verb == VERB_CONFIG || verb == VERB_CONFIGURE || verb == VERB_REPORT)
        (void)printf("\t\n"); /* a file */
    if (verb == VERB_SEAL_TOKEN)
        (void)printf("host\ntpm2\nauto\n");
    for (size_t i = 0; i < ELEMENTSOF(lists); i++)
        if (lists[i].verb == verb)
            ctl_print_first_values(lists[i].method);
}

int main(int argc, char *argv[]) {
    Context c = {.output.lines = 20};
    size_t verb;
    int r;

    i18n_init();
    if (completion_wanted(&table, argc, argv, complete))
        return EXIT_SUCCESS;
    r = verb_table_parse(&table, argc, argv, &c, &verb);
    if (r <= 0)
        return options_exit_status(r);
    if (c.output.all)
        c.output.lines = 0;
    if (needs_bus(verb)) {
        r = sd_bus_open_system(&c.bus);
        if (r < 0) {
            (void)fprintf(stderr, _("The system bus cannot be reached: %s\n"), strerror(-r));
            return EXIT_FAILURE;
        }
    }
    r = functions[verb](&c, argc - optind, argv + optind);
    sd_bus_flush_close_unref(c.bus);
    if (screen_end() < 0 && r >= 0)
        return EXIT_FAILURE;
    return ctl_exit_status(r);
}
