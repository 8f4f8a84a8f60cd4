/* SPDX-License-Identifier: Apache-2.0 */
/* Commands whose job writes the reply object itself. */
#pragma once

#include "proto/json.h"

/* *reply is a job's: its message, which is the job's standard output, is replaced by the reply
 * object that it is. Keys that are missing in that are the job's own; a return code of 0 does not
 * hide that the job failed. Output that is no such object makes the reply an error. */
int reply_take_output(struct json_object **reply);
