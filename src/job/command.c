/* SPDX-License-Identifier: Apache-2.0 */
#include "job/command.h"

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

CommandRun *command_run_free(CommandRun *run) {
    if (run)
        run->free(run);
    return NULL;
}

const Command *command_ref(const Command *c) {
    if (c && c->free)
        ((Command *)(uintptr_t)c)->n_references++;
    return c;
}

const Command *command_unref(const Command *c) {
    Command *held = (Command *)(uintptr_t)c;

    if (held && held->free && --held->n_references == 0)
        held->free(held);
    return NULL;
}

const char *command_kind_to_string(CommandKind kind) {
    static const char *const names[_COMMAND_KIND_MAX] = {
        [COMMAND_NORMAL] = "normal",
        [COMMAND_IMMEDIATE] = "immediate",
        [COMMAND_LONG] = "long",
    };

    return (unsigned)kind < _COMMAND_KIND_MAX ? names[kind] : NULL;
}
