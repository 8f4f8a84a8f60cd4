/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's Varlink interfaces: org.varlink.service, org.dcmagent.Job, org.dcmagent.Agent
 * (descriptions in dbus/). */
#pragma once

#include "core/agent.h"

typedef struct AgentService AgentService;

/* Takes ownership of the listening socket. */
int agent_service_new(sd_event *event, sd_bus *bus, Agent *agent, int listen_fd,
                      AgentService **ret);
AgentService *agent_service_free(AgentService *s);
DEFINE_CLEANUP(AgentService *, agent_service_free)
