/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/job-bond.h"

#include <systemd/sd-login.h>

#include "basic/strv.h"

void unit_add_run(Arguments *a) {
    arguments_add(a, "systemd-run");
    arguments_add(a, "--quiet");
    arguments_add(a, "--wait");
    arguments_add(a, "--pipe");
    arguments_add(a, "--collect");
    arguments_add(a, "--service-type=oneshot");
}

void unit_bind_to_job(Arguments *a) {
    _cleanup_free_ char *unit = NULL;

    if (sd_pid_get_unit(0, &unit) >= 0 &&
        (strncmp(unit, "dcm-job-", 8) == 0 || strncmp(unit, "dcm-backup-", 11) == 0)) {
        arguments_add(a, "--property=BindsTo=%s", unit);
        arguments_add(a, "--property=After=%s", unit);
    }
}

void unit_add_argument(Arguments *a, const char *text) {
    _cleanup_free_ char *escaped = calloc(1, 2 * strlen(text) + 1);
    char *to = escaped;

    if (!escaped) {
        a->error = -ENOMEM;
        return;
    }
    for (; *text; text++) {
        if (*text == '$')
            *to++ = '$';
        *to++ = *text;
    }
    arguments_add(a, "%s", escaped);
}
