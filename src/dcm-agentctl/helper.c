/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that are programs of their own, so that dcm-agentctl needs neither TLS nor the agent's
 * code. */
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

/* What follows the verb are options of that program, whose complaints begin with its name. */
static int execute(const char *path, char name[], char *argv[]) {
    argv[-1] = name; /* it was the verb */
    (void)execv(path, argv - 1);
    (void)fprintf(stderr, _("%s cannot be started: %s; install the package again\n"), path,
                  strerror(errno));
    return EXIT_FAILURE;
}

int verb_doctor(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl doctor";

    return execute(PKGLIBDIR "/dcm-doctor", name, argv);
}

int verb_config(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl config";

    return execute(PKGLIBDIR "/dcm-config", name, argv);
}

int verb_configure(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl configure";

    return execute(PKGLIBDIR "/configure", name, argv);
}

int verb_migrate(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl migrate";

    return execute(PKGLIBDIR "/migrate", name, argv);
}

int verb_report(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl report";

    return execute(PKGLIBDIR "/report", name, argv);
}

int verb_upgrade(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl upgrade";

    return execute(PKGLIBDIR "/upgrade-agent", name, argv);
}

int verb_seal_token(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl seal-token";

    return execute(PKGLIBDIR "/seal-token", name, argv);
}

int verb_scrub(const Context *c, int argc, char *argv[]) {
    static char name[] = "dcm-agentctl scrub";

    return execute(PKGLIBDIR "/dcm-scrub", name, argv);
}
