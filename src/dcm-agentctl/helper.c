/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/helper.h"

#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

int helper_exec(const char *name, char *argv[]) {
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, PKGLIBDIR "/%s", name) < 0)
        return EXIT_FAILURE;
    (void)execv(path, argv);
    (void)fprintf(stderr, _("%s cannot be started: %s; install the package again\n"), path,
                  strerror(errno));
    return EXIT_FAILURE;
}

static int exec_with_options(const Context *c, const char *name) {
    char json[] = "--json";
    char *arguments[] = {(char *)(uintptr_t)name, c->json ? json : NULL, NULL};

    return helper_exec(name, arguments);
}

int verb_doctor(const Context *c, int argc, char *argv[]) {
    return exec_with_options(c, "dcm-doctor");
}

int verb_config(const Context *c, int argc, char *argv[]) {
    return exec_with_options(c, "dcm-config");
}
