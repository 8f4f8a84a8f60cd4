/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/registry.h"

#include "basic/bounds.h"

static const Command commands[] = {
    /* name, runtime_max_usec, tasks_max */
    {"run_script", 24 * 60 * 60 * USEC_PER_SEC, 4096},
};

const Command *command_find(const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(commands); i++)
        if (streq(commands[i].name, name))
            return commands + i;
    return NULL;
}
