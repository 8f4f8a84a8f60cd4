/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/registry.h"

#include "site/command-reader.h"

static const ExecutorCommand commands[] = {
    {"fetch_run", .brings_script = true, .fetches = true},
    {"run_script", .brings_script = true},
    {"upgrade", .brings_script = true, .fetches = true},
};

void executor_command_done(ExecutorCommand *c) {
    c->file = command_file_free(c->file);
}

int registry_find(const char *name, ExecutorCommand *ret, char **ret_error) {
    static const char *const directories[] = {COMMANDS_DIRECTORY, SHIPPED_COMMANDS_DIRECTORY};
    CommandFile *file = NULL;
    int r = -ENOENT;
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(commands); i++)
        if (streq(commands[i].name, name)) {
            *ret = commands[i];
            return 0;
        }
    while (n < ELEMENTSOF(directories) && r == -ENOENT)
        r = command_file_load(directories[n++], name, &file, ret_error);
    if (r < 0)
        return r == -ERFKILL ? -ENOENT : r;
    *ret = (ExecutorCommand){.name = file->name, .file = file, .is_shipped = n > 1};
    return 0;
}
