/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl seal-token: executes a script. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

#define PROGRAM PKGLIBDIR "/seal-token"

int verb_seal_token(const Context *c, int argc, char *argv[]) {
    char program[] = "seal-token";
    char *arguments[] = {program, argv[0], NULL};

    (void)execv(PROGRAM, arguments);
    (void)fprintf(stderr, _("%s cannot be started: %s; install the package again\n"), PROGRAM,
                  strerror(errno));
    return EXIT_FAILURE;
}
