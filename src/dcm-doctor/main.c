/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-doctor: looks at the way to the manager as the service does, as its user and with its
 * environment. dcm-agentctl doctor runs it. */
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "basic/log.h"
#include "core/cloud.h"
#include "dcm-doctor/examine.h"

#define SERVICE_USER "dcm-agent"
#define OTHER_USER "nobody"
#define CREDENTIALS "/run/credentials/dcm-agent.service"

typedef struct Options {
    ExamineOptions examine;
    bool json;
} Options;

static void help(void) {
    (void)printf(_("dcm-agentctl doctor [OPTION...]\n\n"
                   "Checks each step of the way to the manager and says what to do.\n\n"
                   "  -j --json                 machine-readable output\n"
                   "     --config=FILE          configuration (%s)\n"
                   "     --config-directory=DIR drop-ins (%s)\n"
                   "     --state-directory=DIR  where the token is (%s)\n"
                   "     --cloud-socket=PATH    where dcm-cloud answers (%s)\n"
                   "  -h --help                 this\n\n"
                   "Exit status: 0 nothing failed, 1 something did, 2 wrong usage.\n"),
                 CONFDIR "/agent.conf", CONFDIR "/agent.conf.d", STATEDIR, CLOUD_SOCKET);
}

/* 1: go on; 0: done; -EINVAL: wrong usage */
static int parse_options(int argc, char *argv[], Options *o) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"config", required_argument, NULL, 'c'},
        {"config-directory", required_argument, NULL, 'd'},
        {"state-directory", required_argument, NULL, 's'},
        {"cloud-socket", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {},
    };
    int c;

    while ((c = getopt_long(argc, argv, "jh", options, NULL)) >= 0)
        switch (c) {
        case 'j':
            o->json = true;
            break;
        case 'c':
            o->examine.config_file = optarg;
            break;
        case 'd':
            o->examine.config_directory = optarg;
            break;
        case 's':
            o->examine.state_directory = optarg;
            break;
        case 'l':
            o->examine.cloud_socket = optarg;
            break;
        case 'h':
            help();
            return 0;
        default:
            return -EINVAL;
        }
    return optind < argc ? -EINVAL : 1;
}

/* So that a file which only root can read is found, and nobody's answer is parsed as root. */
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

static void report_service(const Surroundings *s, Report *report) {
    if (s->is_running)
        report_add(report, CHECK_SERVICE, FINDING_OK, "%s", s->status);
    else if (!report->done[CHECK_SERVICE])
        report_add(report, CHECK_SERVICE, FINDING_WARNING, "%s",
                   _("the agent is not running: systemctl enable --now dcm-agent"));
}

static int run(const Options *o, Report *report) {
    _cleanup_(surroundings_done) Surroundings s = {};
    int r;

    if (access(CREDENTIALS, F_OK) == 0)
        (void)setenv("CREDENTIALS_DIRECTORY", CREDENTIALS, 0);
    r = surroundings_read(&s);
    if (r >= 0)
        r = become_service_user(report);
    if (r >= 0)
        r = examine(&o->examine, &s, report);
    if (r < 0)
        return r;
    report_not_reached(report);
    report_service(&s, report);
    return 0;
}

int main(int argc, char *argv[]) {
    Options o = {.examine = {
                     .config_file = CONFDIR "/agent.conf",
                     .config_directory = CONFDIR "/agent.conf.d",
                     .state_directory = STATEDIR,
                     .cloud_socket = CLOUD_SOCKET,
                 }};
    _cleanup_(report_done) Report report = {};
    int r;

    i18n_init();
    log_set_level(LOG_WARNING);
    r = parse_options(argc, argv, &o);
    if (r <= 0) {
        if (r < 0)
            (void)fprintf(stderr, _("Try dcm-agentctl doctor --help\n"));
        return r < 0 ? 2 : EXIT_SUCCESS;
    }
    r = report_init(&report, o.json);
    if (r >= 0)
        r = run(&o, &report);
    if (r < 0) {
        (void)fprintf(stderr, _("The way to the manager cannot be examined: %s\n"), strerror(-r));
        return EXIT_FAILURE;
    }
    return report_end(&report);
}
