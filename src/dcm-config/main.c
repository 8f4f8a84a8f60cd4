/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-config: checks the configuration, or shows it with the place of each value. dcm-agentctl
 * config runs it. */
#include <getopt.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "basic/terminal.h"
#include "cli/screen.h"
#include "core/local-files.h"
#include "dcm-config/check.h"
#include "dcm-config/effective.h"
#include "site/command-file.h"

typedef struct Options {
    AgentPaths paths;
    bool check, effective, json, no_pager;
} Options;

#define MEMBER(member) offsetof(Options, member)

static const Option options[] = {
    {"check", NULL, MEMBER(check), option_set_flag, N_("report all mistakes")},
    {"effective", NULL, MEMBER(effective), option_set_flag,
     N_("print each value with the file and line that set it")},
    {"json", NULL, MEMBER(json), option_set_flag, N_("machine-readable output"), .letter = 'j'},
    {"config", N_("FILE"), MEMBER(paths.config_file), option_take_text, N_("configuration"),
     CONFDIR "/agent.conf"},
    {"config-directory", "DIR", MEMBER(paths.config_directory), option_take_text, N_("drop-ins"),
     CONFDIR "/agent.conf.d"},
    {"commands-directory", "DIR", MEMBER(paths.commands_directory), option_take_text,
     N_("commands of the administrator"), COMMANDS_DIRECTORY},
    {"alerts", N_("FILE"), MEMBER(paths.alerts_file), option_take_text, N_("rules of alerts"),
     CONFDIR "/alerts.conf"},
    {"alerts-directory", "DIR", MEMBER(paths.alerts_directory), option_take_text, N_("drop-ins"),
     CONFDIR "/alerts.conf.d"},
    {"policy", N_("FILE"), MEMBER(paths.policy_file), option_take_text, N_("policy"),
     CONFDIR "/policy.conf"},
    {"policy-directory", "DIR", MEMBER(paths.policy_directory), option_take_text, N_("drop-ins"),
     CONFDIR "/policy.conf.d"},
    {"no-pager", NULL, MEMBER(no_pager), option_set_flag, N_("no pager")},
    {"version", .help = N_("print the version")},
    {"help", .help = N_("print this help"), .letter = 'h'},
};

static const OptionTable option_table = {
    .program = "dcm-agentctl config",
    .operands = N_("--check [FILE] | --effective"),
    .about = N_("Checks the files by which this machine configures the agent, or shows the values\n"
                "that apply."),
    .options = options,
    .n_options = ELEMENTSOF(options),
    .notes = N_("Exit status: 0 no mistake, 1 a mistake or a failure, 2 wrong usage."),
};

static int check(const Options *o, const char *file) {
    _cleanup_(findings_done) Findings findings = {};
    int r;

    r = findings_init(&findings, o->json);
    if (r >= 0)
        r = file ? check_file(file, &findings) : check_all(&o->paths, &findings);
    if (r < 0) {
        (void)fprintf(stderr, _("The configuration cannot be checked: %s\n"), strerror(-r));
        return EXIT_FAILURE;
    }
    return findings_end(&findings);
}

static int show(const Options *o) {
    _cleanup_(problems_freep) Problems *problems = NULL;
    _cleanup_(config_done) Config config = {};
    int r;

    r = problems_new(NULL, &problems);
    if (r >= 0)
        r = local_files_load_config(&o->paths, problems, &config);
    if (r < 0) {
        (void)fprintf(stderr, _("The configuration cannot be read: %s\n"), strerror(-r));
        return EXIT_FAILURE;
    }
    if (problems_count(problems) > 0)
        (void)fprintf(stderr, _("There are mistakes: dcm-agentctl config --check\n"));
    return effective_print(&config, o->json);
}

static int check_usage(const Options *o, int n, char *const operands[]) {
    if (o->check == o->effective) {
        (void)fprintf(stderr, _("Give either --check [FILE] or --effective\n"));
        return -EINVAL;
    }
    if (n > (o->check ? 1 : 0)) {
        terminal_printf(stderr, _("%s takes no \"%s\"\n"), o->check ? "--check" : "--effective",
                        operands[o->check ? 1 : 0]);
        return -EINVAL;
    }
    return 0;
}

int main(int argc, char *argv[]) {
    Options o = {.paths = {
                     .config_file = CONFDIR "/agent.conf",
                     .config_directory = CONFDIR "/agent.conf.d",
                     .commands_directory = COMMANDS_DIRECTORY,
                     .shipped_commands_directory = SHIPPED_COMMANDS_DIRECTORY,
                     .alerts_file = CONFDIR "/alerts.conf",
                     .alerts_directory = CONFDIR "/alerts.conf.d",
                     .policy_file = CONFDIR "/policy.conf",
                     .policy_directory = CONFDIR "/policy.conf.d",
                 }};
    int r;

    i18n_init();
    log_set_level(LOG_WARNING);
    r = option_table_parse(&option_table, argc, argv, &o);
    if (r <= 0)
        return options_exit_status(r);
    if (check_usage(&o, argc - optind, argv + optind) < 0) {
        (void)fprintf(stderr, _("Try %s --help\n"), option_table.program);
        return 2;
    }
    if (!o.no_pager)
        screen_page();
    return o.check ? check(&o, argv[optind]) : show(&o);
}
