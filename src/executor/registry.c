/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/registry.h"

static const Command commands[] = {
    {"run_script", .brings_script = true},
};

const Command *command_find(const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(commands); i++)
        if (streq(commands[i].name, name))
            return commands + i;
    return NULL;
}
