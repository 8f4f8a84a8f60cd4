/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the server itself: its name, its users, its life. Their scripts have the
 * positional arguments that those of the Python agent had. */
#pragma once

#include "job/command.h"

extern const Argument add_user_arguments[5], initialize_arguments[7], remove_user_arguments[2],
    rename_arguments[1], terminate_arguments[1], upgrade_arguments[5];

int add_user_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                     JobSpec *ret, char **ret_error);
int add_user_done(const ArgumentValue *values, Effect *ret);
int initialize_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                       JobSpec *ret, char **ret_error);
int initialize_done(const ArgumentValue *values, Effect *ret);
int remove_user_prepare(const Command *c, const CommandContext *context,
                        const ArgumentValue *values, JobSpec *ret, char **ret_error);
int remove_user_done(const ArgumentValue *values, Effect *ret);
int rename_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                   JobSpec *ret, char **ret_error);

int upgrade_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                    JobSpec *ret, char **ret_error);
int terminate_run(const CommandContext *context, const ArgumentValue *values,
                  struct json_object **ret_reply, CommandRun **ret_run);
int terminate_done(const ArgumentValue *values, Effect *ret);
int get_private_ip_address_run(const CommandContext *context, const ArgumentValue *values,
                               struct json_object **ret_reply, CommandRun **ret_run);
