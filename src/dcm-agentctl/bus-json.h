/* SPDX-License-Identifier: Apache-2.0 */
/* Converts values of the bus to JSON. */
#pragma once

#include <systemd/sd-bus.h>

#include "proto/json.h"

/* Converts a complete value of any type that the agent uses. */
int ctl_json_from_bus(sd_bus_message *m, struct json_object **ret);
