/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-manager: a small agent manager, and its command line. */
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/log-sink.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "dcm-manager/cli-enrolment.h"
#include "dcm-manager/cli-targets.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/client.h"
#include "dcm-manager/serve.h"

static int run_server(const Options *o) {
    int r = serve(o);

    log_sink_drain();
    return r == -EPROTONOSUPPORT ? EXIT_NEWER_DATABASE : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Agents and requests of the manager that runs, if it may be asked. */
static void complete(size_t verb, int operand) {
    const bool of_requests = verb == VERB_SHOW || verb == VERB_STATUS || verb == VERB_CANCEL;

    if (verb == VERB_ACCEPT || verb == VERB_REJECT || (verb == VERB_REPLACE && operand == 1))
        cli_print_ids("waiting", "id");
    else if (verb == VERB_ENROL_TOKEN && operand == 0)
        (void)fputs("new\nlist\nrevoke\n", stdout);
    else if (verb == VERB_ENROL_TOKEN && operand == 1)
        cli_print_ids("enrol_tokens", "id");
    else if (operand == 0 || verb == VERB_RUN || verb == VERB_GROUP || verb == VERB_UNGROUP)
        cli_print_ids(of_requests ? "requests" : "agents", of_requests ? "guid" : "id");
}

int main(int argc, char *argv[]) {
    static int (*const verbs[_VERB_MAX])(const Options *o) = {
        [VERB_SERVE] = run_server,
        [VERB_AGENTS] = cli_agents,
        [VERB_RUN] = cli_run,
        [VERB_REQUESTS] = cli_requests,
        [VERB_SHOW] = cli_show,
        [VERB_STATUS] = cli_status,
        [VERB_CANCEL] = cli_cancel,
        [VERB_LOG] = cli_log,
        [VERB_ALERTS] = cli_alerts,
        [VERB_NAME] = cli_name,
        [VERB_UNNAME] = cli_unname,
        [VERB_GROUP] = cli_group,
        [VERB_UNGROUP] = cli_ungroup,
        [VERB_WAIT_AGENT] = cli_wait_agent,
        [VERB_DRAIN] = cli_drain,
        [VERB_METRICS] = cli_metrics,
        [VERB_INIT] = cli_init,
        [VERB_RENEW] = cli_renew,
        [VERB_AGENT_PACKAGE] = cli_agent_package,
        [VERB_ACCEPT] = cli_accept,
        [VERB_REJECT] = cli_reject,
        [VERB_REVOKE] = cli_revoke,
        [VERB_FORGET] = cli_forget,
        [VERB_REPLACE] = cli_replace,
        [VERB_ENROL_TOKEN] = cli_enrol_token,
    };
    Options o = {};
    int r;

    i18n_init();
    log_set_identifier("dcm-manager");
    r = command_line_parse(argc, argv, complete, &o);
    if (r <= 0)
        return r == -EIO ? EXIT_OTHER : options_exit_status(r);
    r = verbs[o.verb](&o);
    return screen_end() < 0 && r == 0 ? EXIT_OTHER : r;
}
