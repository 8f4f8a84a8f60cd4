/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that are programs of their own, so that dcm-agentctl needs neither TLS nor the agent's
 * code. */
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

/* argv[-1] is the verb; what follows it are the options of that program. */
static int execute(const Context *c, const char *path, char *argv[]) {
    char json[] = "--json", *with_json[] = {argv[-1], json, NULL};

    (void)execv(path, c->output.json ? with_json : argv - 1);
    (void)fprintf(stderr, _("%s cannot be started: %s; install the package again\n"), path,
                  strerror(errno));
    return EXIT_FAILURE;
}

int verb_doctor(const Context *c, int argc, char *argv[]) {
    return execute(c, PKGLIBDIR "/dcm-doctor", argv);
}

int verb_config(const Context *c, int argc, char *argv[]) {
    return execute(c, PKGLIBDIR "/dcm-config", argv);
}

int verb_seal_token(const Context *c, int argc, char *argv[]) {
    return execute(c, PKGLIBDIR "/seal-token", argv);
}
