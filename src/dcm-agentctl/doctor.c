/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl doctor: a separate program, so that this one needs neither TLS nor the agent's
 * code. */
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

#define PROGRAM PKGLIBDIR "/dcm-doctor"

int doctor_exec(char *argv[]) {
    (void)execv(PROGRAM, argv);
    (void)fprintf(stderr, _("%s cannot be started: %s; install the package again\n"), PROGRAM,
                  strerror(errno));
    return EXIT_FAILURE;
}

int verb_doctor(const Context *c, int argc, char *argv[]) {
    char program[] = "dcm-doctor", json[] = "--json";
    char *arguments[] = {program, c->json ? json : NULL, NULL};

    return doctor_exec(arguments);
}
