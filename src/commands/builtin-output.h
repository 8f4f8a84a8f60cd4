/* SPDX-License-Identifier: Apache-2.0 */
/* The command get_job_output reads a job's output from the executor's directory. */
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
