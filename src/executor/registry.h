/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that the executor starts. Whatever the agent asks for, only these are run, and only
 * as the policy lets them. */
#pragma once

#include "basic/macro.h"

typedef struct Command {
    const char *name;
    bool brings_script; /* what is run comes with the order */
} Command;

/* NULL: no such command */
const Command *command_find(const char *name);
