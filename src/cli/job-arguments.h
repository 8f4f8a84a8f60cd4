/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of a command with `input = json` (dcm-agent-commands(7)), for the program that
 * does it. */
#pragma once

#include "basic/macro.h"
#include "proto/json.h"

/* Reads a JSON object from standard input, whose text it wipes from memory. The caller frees. A
 * negative errno, which it has logged: it cannot be read, or is no JSON object. */
int job_arguments_read(struct json_object **ret);
