/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-manager/client.h"
#include "dcm-manager/options.h"

/* The targets of `run` are not one agent only. `agents` has their rows by id. */
int cli_run_many(const Options *o, Client **client, struct json_object *payload,
                 struct json_object *agents);
