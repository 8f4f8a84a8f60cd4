/* SPDX-License-Identifier: Apache-2.0 */
/* Commands whose job prints the reply object itself. */
#pragma once

#include "proto/command-output.h"
#include "proto/json.h"

/* Replaces the message of a job's reply, which is its standard output, by the value that the output
 * stands for.
 * OUTPUT_REPLY: a whole reply. Missing keys come from the job; a return code of 0 does not hide a
 * failure of the job.
 * OUTPUT_STRING, OUTPUT_JSON: the reply object of a job that ended with 0; a string loses its
 * trailing newlines.
 * Invalid output turns the reply into an error. `reply_type` may be NULL. */
int reply_take_output(CommandOutput output, const char *reply_type, struct json_object **reply);
