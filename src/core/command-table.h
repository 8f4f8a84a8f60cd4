/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of commands. Argument checking, `plugins` in the handshake, the D-Bus listing and
 * the manual page come from it. */
#pragma once

#include "core/command.h"

/* NULL: unknown */
const Command *command_find(const char *name) _pure_;
/* In alphabetical order. */
const Command *command_table(size_t *ret_n);
