/* SPDX-License-Identifier: Apache-2.0 */
#include "core/command.h"

#include "basic/fd-util.h"
#include "basic/strv.h"

void job_spec_done(JobSpec *s) {
    for (size_t i = 0; i < s->n_secrets; i++)
        safe_close(s->secrets[i].fd);
    free(s->secrets);
    strv_free(s->list);
    safe_close(s->script_fd);
    safe_close(s->input_fd);
    *s = JOB_SPEC_INIT;
}

const char *command_kind_to_string(CommandKind kind) {
    static const char *const names[_COMMAND_KIND_MAX] = {
        [COMMAND_NORMAL] = "normal",
        [COMMAND_IMMEDIATE] = "immediate",
        [COMMAND_LONG] = "long",
    };

    return (unsigned)kind < _COMMAND_KIND_MAX ? names[kind] : NULL;
}
