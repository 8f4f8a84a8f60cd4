/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that the executor starts, and what each may use. Whatever the agent asks for, only
 * these are run, and only like this. */
#pragma once

#include "basic/macro.h"

typedef struct Command {
    const char *name;
    uint64_t runtime_max_usec;
    uint64_t tasks_max;
} Command;

/* NULL: no such command */
const Command *command_find(const char *name);
