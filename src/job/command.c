/* SPDX-License-Identifier: Apache-2.0 */
#include "job/command.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/strv.h"

const JobSettings job_settings_default = {.reply_output_max = REPLY_OUTPUT_DEFAULT};

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

static bool is_known(const Command *c, const char *name) {
    for (size_t i = 0; i < c->n_arguments; i++)
        if (streq(c->arguments[i].name, name))
            return true;
    return false;
}

int command_parse_arguments(const Command *c, struct json_object *arguments, ArgumentValue *ret,
                            char **ret_error) {
    const Argument wish = {COMMAND_DRY_RUN, ARGUMENT_BOOL};
    ArgumentValue value;
    int r;

    if (!is_known(c, COMMAND_DRY_RUN)) {
        r = arguments_parse(&wish, 1, arguments, &value, ret_error);
        if (r >= 0 && value.boolean)
            r = asprintf(ret_error, "The command %s does not support %s; it was not executed",
                         c->name, COMMAND_DRY_RUN) < 0
                    ? -ENOMEM
                    : -EINVAL;
        if (r < 0)
            return r;
    }
    return arguments_parse(c->arguments, c->n_arguments, arguments, ret, ret_error);
}

const char *command_kind_to_string(CommandKind kind) {
    static const char *const names[_COMMAND_KIND_MAX] = {
        [COMMAND_NORMAL] = "normal",
        [COMMAND_IMMEDIATE] = "immediate",
        [COMMAND_LONG] = "long",
    };

    return (unsigned)kind < _COMMAND_KIND_MAX ? names[kind] : NULL;
}
