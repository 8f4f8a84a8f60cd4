/* SPDX-License-Identifier: Apache-2.0 */
/* org.dcmagent.Agent1.Manager, according to dbus/org.dcmagent.Agent1.xml. */
#pragma once

#include <systemd/sd-bus.h>

#include "core/agent.h"

#define AGENT_BUS_NAME "org.dcmagent.Agent1"
#define AGENT_BUS_PATH "/org/dcmagent/Agent1"

typedef struct AgentObject AgentObject;

/* Publishes the agent, and becomes its observer. */
int agent_object_new(sd_bus *bus, Agent *agent, AgentObject **ret);
AgentObject *agent_object_free(AgentObject *o);
