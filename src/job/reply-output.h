/* SPDX-License-Identifier: Apache-2.0 */
/* Commands whose job writes the reply object itself. */
#pragma once

#include "proto/command-output.h"
#include "proto/json.h"

/* *reply is a job's: its message, which is the job's standard output, is replaced by what it stands
 * for.
 *
 * OUTPUT_REPLY: a whole reply. Keys that are missing in it are the job's own; a return code of 0
 * does not hide that the job failed.
 * OUTPUT_STRING, OUTPUT_JSON: the reply object of a job that has ended with 0, of that type; a
 * string is without the ends of line behind it.
 *
 * Output that is none of this makes the reply an error. `reply_type` may be NULL. */
int reply_take_output(CommandOutput output, const char *reply_type, struct json_object **reply);
