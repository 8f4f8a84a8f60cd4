/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl unregister. The agent ends by itself; here it is kept from starting at the next
 * boot.
 */
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

static int disable_service(void) {
    char program[] = "systemctl", quiet[] = "--quiet", disable[] = "disable", now[] = "--now",
         service[] = "dcm-agent.service";
    char *const argv[] = {program, quiet, disable, now, service, NULL};

    (void)execvp(program, argv);
    (void)fprintf(stderr, _("%s cannot be started: %s; do this: %s\n"), program, strerror(errno),
                  "systemctl disable --now dcm-agent");
    return EXIT_FAILURE;
}

int verb_unregister(const Context *c, int argc, char *argv[]) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int is_told;

    TRY(ctl_call(c, "Unregister", &m, NULL));
    TRY(sd_bus_message_read(m, "b", &is_told));
    if (is_told)
        (void)puts(_("The manager knows that this agent has left."));
    else
        (void)fputs(_("The manager was not told, because it is not connected or does not know this "
                      "message; revoke the agent there, too\n"),
                    stderr);
    (void)puts(
        _("The agent has forgotten its id and its token, and does not start again; to have it "
          "register anew: systemctl enable --now dcm-agent"));
    (void)fflush(stdout);
    return disable_service();
}
