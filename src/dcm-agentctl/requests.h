/* SPDX-License-Identifier: Apache-2.0 */
/* One request, as dcm-agentctl show has it. */
#pragma once

#include <stdio.h>

#include "dcm-agentctl/ctl.h"

/* Does not print errors. The caller puts the object. */
int request_load(const Context *c, const char *guid, sd_bus_error *error, struct json_object **ret);
void request_print(FILE *f, struct json_object *o);
