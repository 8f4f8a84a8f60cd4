/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the built-in commands. Argument checking, `plugins` in the handshake, the D-Bus
 * listing and the manual page derive from it. */
#pragma once

#include "job/command.h"

/* In alphabetical order. */
const Command *command_table(size_t *ret_n);
