/* SPDX-License-Identifier: Apache-2.0 */
/* Command get_job_output: what the executor's directory has of a job's output. */
#pragma once

#include "job/command.h"

enum {
    GET_JOB_OUTPUT_GUID,
    GET_JOB_OUTPUT_STREAM,
    GET_JOB_OUTPUT_OFFSET,
    GET_JOB_OUTPUT_LENGTH,
};

int builtin_get_job_output(const CommandContext *context, const ArgumentValue *values,
                           struct json_object **ret_reply, CommandRun **ret_run);
