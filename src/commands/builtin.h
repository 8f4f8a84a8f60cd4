/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that run inside the agent. They only read. */
#pragma once

#include "job/command.h"

int builtin_heartbeat(const CommandContext *context, const ArgumentValue *values,
                      struct json_object **ret_reply, CommandRun **ret_run);
/* Measures the processor load over 0.1 s. */
int builtin_get_agent_data(const CommandContext *context, const ArgumentValue *values,
                           struct json_object **ret_reply, CommandRun **ret_run);
