/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-doctor: tests the connection to the manager as the service's user and with its environment.
 * dcm-agentctl doctor runs it. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "core/cloud.h"
#include "dcm-doctor/examine.h"
#include "dcm-doctor/volumes.h"
#include "site/command-file.h"
#include "store/store.h"

#define SERVICE_USER "dcm-agent"
#define OTHER_USER "nobody"
#define CREDENTIALS "/run/credentials/dcm-agent.service"

typedef struct Options {
    AgentPaths examine;
    bool json, no_pager;
} Options;

#define MEMBER(member) offsetof(Options, member)

static const Option options[] = {
    {"json", NULL, MEMBER(json), option_set_flag, N_("machine-readable output"), .letter = 'j'},
    {"config", N_("FILE"), MEMBER(examine.config_file), option_take_text, N_("configuration"),
     CONFDIR "/agent.conf"},
    {"config-directory", "DIR", MEMBER(examine.config_directory), option_take_text, N_("drop-ins"),
     CONFDIR "/agent.conf.d"},
    {"state-directory", "DIR", MEMBER(examine.state_directory), option_take_text,
     N_("directory of the token"), STATEDIR},
    {"cloud-socket", N_("PATH"), MEMBER(examine.cloud_socket), option_take_text,
     N_("socket of dcm-cloud"), CLOUD_SOCKET},
    {"commands-directory", "DIR", MEMBER(examine.commands_directory), option_take_text,
     N_("commands of the administrator"), COMMANDS_DIRECTORY},
    {"alerts", N_("FILE"), MEMBER(examine.alerts_file), option_take_text, N_("rules of alerts"),
     CONFDIR "/alerts.conf"},
    {"alerts-directory", "DIR", MEMBER(examine.alerts_directory), option_take_text, N_("drop-ins"),
     CONFDIR "/alerts.conf.d"},
    {"policy", N_("FILE"), MEMBER(examine.policy_file), option_take_text, N_("policy"),
     CONFDIR "/policy.conf"},
    {"policy-directory", "DIR", MEMBER(examine.policy_directory), option_take_text, N_("drop-ins"),
     CONFDIR "/policy.conf.d"},
    {"no-pager", NULL, MEMBER(no_pager), option_set_flag,
     N_("no effect: each line is shown as soon as it is known")},
    {"version", .help = N_("print the version")},
    {"help", .help = N_("print this help"), .letter = 'h'},
};

static const OptionTable option_table = {
    .program = "dcm-agentctl doctor",
    .about = N_("Checks each step of the connection to the manager and says what to do."),
    .options = options,
    .n_options = ELEMENTSOF(options),
    .notes = N_("Exit status: 0 no check failed, 1 a check failed, 2 wrong usage."),
};

/* Drops root, so that a file that only root can read is detected, and no response is parsed as
 * root. */
static int become_service_user(Report *report) {
    const struct passwd *user;

    if (geteuid() != 0)
        return 0;
    user = getpwnam(SERVICE_USER);
    if (!user) {
        report_add(report, CHECK_SERVICE, FINDING_WARNING,
                   _("there is no user %s: is the agent installed? (systemd-sysusers)"),
                   SERVICE_USER);
        user = getpwnam(OTHER_USER);
    }
    if (!user)
        return -ESRCH;
    if (initgroups(user->pw_name, user->pw_gid) < 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return -errno;
    return 0;
}

static void report_stopped(const Surroundings *s, Report *report) {
    char text[SERVICE_TEXT_SIZE];
    ServiceCause cause = service_state_explain(&s->service, text);

    report_add(report, CHECK_SERVICE, cause == SERVICE_IS_BROKEN ? FINDING_FAILED : FINDING_WARNING,
               "%s", text);
}

static void report_service(const Surroundings *s, Report *report) {
    bool is_told = report->done[CHECK_SERVICE]; /* that nothing is installed */

    /* as whom the jobs run */
    if (s->service.is_loaded && !getpwnam(JOB_USER))
        report_add(report, CHECK_SERVICE, FINDING_WARNING,
                   _("there is no user %s: is the agent installed? (systemd-sysusers)"), JOB_USER);
    if (s->is_running)
        report_add(report, CHECK_SERVICE,
                   s->is_full || s->is_idle       ? FINDING_FAILED
                   : s->is_paused || s->is_astray ? FINDING_WARNING
                                                  : FINDING_OK,
                   "%s", s->status);
    else if (!is_told)
        report_stopped(s, report);
}

static int run(const Options *o, Report *report) {
    _cleanup_(surroundings_done) Surroundings s = {};

    if (access(CREDENTIALS, F_OK) == 0)
        (void)setenv("CREDENTIALS_DIRECTORY", CREDENTIALS, 0);
    TRY(surroundings_read(&s));
    s.was_root = geteuid() == 0;
    TRY(become_service_user(report));
    TRY(examine(&o->examine, &s, report));
    report_not_reached(report);
    TRY(check_volumes(report));
    report_service(&s, report);
    return 0;
}

int main(int argc, char *argv[]) {
    Options o = {.examine = {
                     .config_file = CONFDIR "/agent.conf",
                     .config_directory = CONFDIR "/agent.conf.d",
                     .state_directory = STATEDIR,
                     .cloud_socket = CLOUD_SOCKET,
                     .commands_directory = COMMANDS_DIRECTORY,
                     .shipped_commands_directory = SHIPPED_COMMANDS_DIRECTORY,
                     .alerts_file = CONFDIR "/alerts.conf",
                     .alerts_directory = CONFDIR "/alerts.conf.d",
                     .policy_file = CONFDIR "/policy.conf",
                     .policy_directory = CONFDIR "/policy.conf.d",
                 }};
    _cleanup_(report_done) Report report = {};
    int r;

    i18n_init();
    log_set_level(LOG_WARNING);
    r = option_table_parse(&option_table, argc, argv, &o);
    if (r <= 0)
        return options_exit_status(r);
    r = report_init(&report, o.json);
    if (r >= 0)
        r = run(&o, &report);
    if (r < 0) {
        (void)fprintf(stderr, _("The connection to the manager cannot be checked: %s\n"),
                      strerror(-r));
        return EXIT_FAILURE;
    }
    return report_end(&report);
}
