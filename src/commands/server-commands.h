/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in commands about the server that no file in commands.d can define. */
#pragma once

#include "job/command.h"

extern const Argument upgrade_arguments[5];

int upgrade_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                    JobSpec *ret, char **ret_error);
int get_private_ip_address_run(const CommandContext *context, const ArgumentValue *values,
                               struct json_object **ret_reply, CommandRun **ret_run);

/* The first IPv4 address of this server, in the order of get_private_ip_address, private or not.
 * The caller frees it; *ret is NULL if there is none. */
int find_first_address(const CommandContext *context, char **ret);
