/* SPDX-License-Identifier: Apache-2.0 */
/* The method Unregister on D-Bus. */
#pragma once

#include <systemd/sd-bus.h>

#include "core/agent.h"

/* Answers when the agent has forgotten who it is, and then stops it. */
int bus_unregister(sd_bus_message *m, Agent *agent, sd_bus_error *error);
